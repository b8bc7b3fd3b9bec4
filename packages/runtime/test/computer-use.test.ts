import { existsSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { WebSocketServer } from 'ws';
import { FORBIDDEN_ADDRESSES, POD_ADDRESSES, PUBLIC_ADDRESSES } from '../../api/test/semantics-cases.js';
import { ACTION_NAMES, keys } from '../src/computer-use/actions.js';
import { EXIT, runAgent, type AgentOptions, type AgentResult } from '../src/computer-use/agent.js';
import { DomainPolicy, isPublic } from '../src/computer-use/policy.js';
import { FakeModel, type Turn } from './fake-model.js';

jest.setTimeout(120_000);

const CHROMIUM = process.env.AGENT_CHROMIUM ?? '/usr/bin/chromium';
const KEY = 'key-that-must-not-leak';
/** A place on the screen in the model's coordinates. */
const at = (x: number, y: number) => ({ x: x / 1.44, y: y / 0.9 });
const describeWithChromium = existsSync(CHROMIUM) ? describe : describe.skip;

describe('the list of allowed domains', () => {
  test.each<[string[], string, number, string]>([
    [[], 'example.com', 443, 'no'],
    [['example.com'], 'example.com', 443, 'yes'],
    [['Example.COM.'], 'EXAMPLE.com.', 443, 'yes'],
    [['example.com'], 'www.example.com', 443, 'no'],
    [['example.com'], 'notexample.com', 443, 'no'],
    [['example.com'], 'example.com.evil.example', 443, 'no'],
    [['*.example.com'], 'www.example.com', 443, 'public'],
    [['*.example.com'], 'a.b.example.com', 443, 'public'],
    [['*.example.com'], 'example.com', 443, 'no'],
    [['*.example.com'], 'evil-example.com', 443, 'no'],
    [['example.com:8080'], 'example.com', 8080, 'yes'],
    [['example.com:8080'], 'example.com', 443, 'no'],
    [['*'], 'anything.example', 80, 'public'],
    [['*', 'inside.example'], 'inside.example', 80, 'yes'],
    [['*:443'], 'anything.example', 80, 'no'],
    [['[::1]:80'], '[::1]', 80, 'yes'],
    [['10.0.0.1'], '10.0.0.1', 80, 'yes'],
  ])('%j: %s:%i is %s', (list, host, port, verdict) => {
    expect(new DomainPolicy(list).verdict(host, port)).toBe(verdict);
  });

  test.each(['http://example.com', 'a.*.com', 'example.com/path', '', '*example.com', 'user@example.com', '**'])('%j is refused', entry => {
    expect(() => new DomainPolicy([entry])).toThrow(`--agent-allowed-domains has '${entry}': write example.com, *.example.com, example.com:8080, or *`);
  });

  test.each([
    ['8.8.8.8', true], ['127.0.0.1', false], ['10.1.2.3', false], ['169.254.169.254', false], ['168.63.129.16', false], ['100.64.0.1', false], ['0.0.0.0', false],
    ['172.32.0.1', true], ['172.16.0.1', false], ['2606:4700::1', true], ['::1', false], ['fe80::1', false], ['fd00::1', false], ['::ffff:8.8.8.8', false],
    ['64:ff9b::a00:1', false], ['2002:a00:1::', false], ['2001:db8::1', false], ['no address', false],
  ])('%s is public: %s', (address, expected) => {
    expect(isPublic(address)).toBe(expected);
  });

  test.each([...FORBIDDEN_ADDRESSES, ...POD_ADDRESSES])('%s is not public', address => {
    expect(isPublic(address)).toBe(false);
  });

  test.each(PUBLIC_ADDRESSES)('%s is public', address => {
    expect(isPublic(address)).toBe(true);
  });
});

test.each([['ctrl+a', 'Control+a'], ['Control+Shift+T', 'Control+Shift+T'], ['enter', 'Enter'], ['ctrl++', 'Control++'], ['f5', 'F5'], ['page_down', 'PageDown'], ['x', 'x']])(
  'keys %s are %s for the browser', (given, expected) => {
    expect(keys(given)).toBe(expected);
  });

const PAGE = `<!doctype html><title>page</title><style>body{margin:0;width:3000px;height:4000px}div,input{position:absolute;width:200px;height:60px}</style>
<input id=i style="left:100px;top:100px" value=old>
<div id=b style="left:400px;top:100px;background:red">button</div>
<div id=d style="left:700px;top:100px;background:blue">drag</div>
<a id=l style="position:absolute;left:100px;top:300px;width:200px;height:60px;display:block;background:green" target=_blank href=/other>link</a>
<script>
const seen = [];
const say = (what) => { seen.push(what); fetch('/event?' + encodeURIComponent(what)); };
b.onclick = e => say('click ' + e.detail); b.ondblclick = () => say('dblclick'); b.oncontextmenu = e => { e.preventDefault(); say('right'); };
b.onauxclick = e => e.button === 1 && say('middle'); b.onmouseenter = () => say('hover');
i.onkeydown = e => say('key ' + (e.ctrlKey ? 'ctrl ' : '') + e.key); i.oninput = () => say('value ' + i.value);
d.onmousedown = () => say('down'); addEventListener('mouseup', e => say('up ' + e.clientX + ' ' + e.clientY));
addEventListener('scroll', () => say('scroll ' + (scrollX > 0 ? 'x' : '') + (scrollY > 0 ? 'y' : '')));
</script>`;

/** Title, actions after the page was opened, events of the page. */
const ACTION_CASES: [string, { name: string; args?: object }[], string[]][] = [
  ['search', [{ name: 'search' }], ['GET /search']],
  ['navigate without a scheme is https', [{ name: 'navigate', args: { url: 'nope.invalid' } }], []],
  ['click_at', [{ name: 'click_at', args: at(450, 130) }], ['hover', 'click 1']],
  ['hover_at', [{ name: 'hover_at', args: at(450, 130) }], ['hover']],
  ['type_text_at', [{ name: 'type_text_at', args: { ...at(150, 130), text: 'new' } }], ['value new', 'key Enter']],
  ['type_text_at, keeping the text of the field', [{ name: 'type_text_at', args: { ...at(150, 130), text: '!', clear_before_typing: false, press_enter: false } }, { name: 'key_combination', args: { keys: 'End' } }], ['value old!']],
  ['key_combination', [{ name: 'click_at', args: at(150, 130) }, { name: 'key_combination', args: { keys: 'Control+B' } }], ['key ctrl B']],
  ['scroll_document', [{ name: 'scroll_document', args: { direction: 'down' } }], ['scroll y']],
  ['scroll_at', [{ name: 'scroll_at', args: { ...at(450, 130), direction: 'right', magnitude: 300 } }], ['scroll x']],
  ['drag_and_drop', [{ name: 'drag_and_drop', args: { ...at(750, 130), destination_x: 500, destination_y: 500 } }], ['down', 'up 720 450']],
  ['go_back and go_forward', [{ name: 'navigate', args: { url: 'SITE/two' } }, { name: 'go_back' }, { name: 'go_forward' }], ['GET /two']],
  ['click', [{ name: 'click', args: { ...at(450, 130), intent: 'to test' } }], ['click 1']],
  ['double_click', [{ name: 'double_click', args: at(450, 130) }], ['click 2', 'dblclick']],
  ['triple_click', [{ name: 'triple_click', args: at(450, 130) }], ['click 3']],
  ['right_click', [{ name: 'right_click', args: at(450, 130) }], ['right']],
  ['middle_click', [{ name: 'middle_click', args: at(450, 130) }], ['middle']],
  ['move', [{ name: 'move', args: at(450, 130) }], ['hover']],
  ['mouse_down and mouse_up', [{ name: 'mouse_down', args: at(750, 130) }, { name: 'mouse_up', args: at(720, 450) }], ['down', 'up 720 450']],
  ['type', [{ name: 'click', args: at(150, 130) }, { name: 'type', args: { text: '?' } }], ['value old?']],
  ['press_key', [{ name: 'click', args: at(150, 130) }, { name: 'press_key', args: { key: 'escape' } }], ['key Escape']],
  ['key_down and key_up', [{ name: 'click', args: at(150, 130) }, { name: 'key_down', args: { key: 'ctrl' } }, { name: 'press_key', args: { key: 'b' } }, { name: 'key_up', args: { key: 'ctrl' } }], ['key ctrl b']],
  ['hotkey', [{ name: 'click', args: at(150, 130) }, { name: 'hotkey', args: { keys: ['ctrl', 'b'] } }], ['key ctrl b']],
  ['scroll', [{ name: 'scroll', args: { ...at(450, 130), direction: 'down' } }], ['scroll y']],
  ['wait and take_screenshot', [{ name: 'wait', args: { seconds: 0.01 } }, { name: 'take_screenshot' }], []],
  ['wait_5_seconds', [{ name: 'wait_5_seconds' }], []],
];

/** Action, arguments, answer to the model. */
const REFUSED_ACTIONS: [string, object, string][] = [
  ['no_such_action', {}, "there is no action 'no_such_action'"],
  ['constructor', {}, "there is no action 'constructor'"],
  ['click_at', {}, 'x has to be a number'],
  ['click_at', { x: 1000, y: 0 }, 'coordinates are from 0 to 999, not 1000'],
  ['scroll_document', { direction: 'north' }, "direction is up, down, left or right, not 'north'"],
  ['navigate', { url: 'file:///etc/passwd' }, "'file:///etc/passwd' is not an address on the web"],
  ['navigate', { url: 'javascript:alert(1)' }, "'javascript:alert(1)' is not an address on the web"],
  ['navigate', { url: 'chrome://version' }, "'chrome://version' is not an address on the web"],
];

describeWithChromium('computer use, with chromium', () => {
  const model = new FakeModel();
  let modelUrl: string;
  let site: Server;
  let sockets: WebSocketServer;
  let origin: string;
  let host: string;
  let other: Server;
  let elsewhere: string;
  const events: string[] = [];
  const reached: string[] = [];

  beforeAll(async () => {
    modelUrl = await model.listen();
    site = createServer((request, response) => {
      const [path, query] = request.url!.split('?');
      if (path === '/event') {
        events.push(decodeURIComponent(query!));
        response.end();
        return;
      }
      events.push(`GET ${request.url}`);
      response.setHeader('content-type', 'text/html');
      response.end(path === '/evil' ? `<img src="${elsewhere}/img"><iframe src="${elsewhere}/frame"></iframe><script src="${elsewhere}/script"></script><script>
        fetch('${elsewhere}/fetch', { mode: 'no-cors' }).catch(() => 0); navigator.sendBeacon('${elsewhere}/beacon');
        new WebSocket('${elsewhere.replace('http', 'ws')}/socket'); new EventSource('${elsewhere}/events');
        new Worker(URL.createObjectURL(new Blob(["fetch('${elsewhere}/worker', { mode: 'no-cors' })"])));
        const ok = new WebSocket('ws://' + location.host + '/ok'); ok.onopen = () => fetch('/event?socket');
        </script><link rel=prefetch href="${elsewhere}/prefetch"><form id=f action="${elsewhere}/form" method=post></form>`
        : path === '/away' ? `<meta http-equiv=refresh content="0;url=${elsewhere}/refresh">`
          : path === '/files' ? '<iframe src="file:///etc/passwd"></iframe>' : PAGE);
    });
    sockets = new WebSocketServer({ server: site });
    other = createServer((request, response) => {
      reached.push(request.url!);
      response.end();
    });
    other.on('upgrade', request => reached.push(request.url!));
    await Promise.all([site, other].map(each => new Promise<void>(resolve => each.listen(0, '127.0.0.1', resolve))));
    host = `127.0.0.1:${(site.address() as AddressInfo).port}`;
    origin = `http://${host}`;
    elsewhere = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    model.close();
    sockets.close();
    [site, other].forEach(each => {
      each.closeAllConnections();
      each.close();
    });
  });
  beforeEach(() => {
    events.length = 0;
    reached.length = 0;
  });

  const run = (turns: Turn[], options: Partial<AgentOptions> = {}, signal = new AbortController().signal): Promise<AgentResult> => {
    model.script(...turns);
    return runAgent('Do it, "quoted" \'as it is\'', {
      apiKey: KEY, model: 'gemini-test', baseUrl: modelUrl, maxSteps: 10, timeoutSeconds: 90, allowedDomains: [host], searchUrl: `${origin}/search`, chromium: CHROMIUM,
      // Not for root, and not where user namespaces are closed
      chromiumSandbox: false, ...options,
    }, signal);
  };

  test('the model gets the query and a picture, and its last words are the output', async () => {
    const result = await run([[{ name: 'open_web_browser' }], 'All done.']);
    expect(result).toEqual({ stdout: 'All done.', stderr: 'step 1: I act.\nstep 1: open_web_browser {}\n', exit_code: 0 });
    const [first, second] = model.requests;
    expect([first!.path, first!.key]).toEqual(['/v1beta/models/gemini-test:generateContent', KEY]);
    expect(first!.body.tools).toEqual([{ computerUse: { environment: 'ENVIRONMENT_BROWSER' } }]);
    expect(first!.body.contents[0].parts[0]).toEqual({ text: 'Do it, "quoted" \'as it is\'' });
    const picture = Buffer.from(first!.body.contents[0].parts[1].inlineData.data, 'base64');
    expect([picture.subarray(1, 4).toString(), picture.readUInt32BE(16), picture.readUInt32BE(20)]).toEqual(['PNG', 1440, 900]);
    expect(second!.body.contents.map((content: any) => content.role)).toEqual(['user', 'model', 'user']);
    expect(model.responses(0)).toEqual([{ id: 'call-0', name: 'open_web_browser', response: { url: 'about:blank' }, parts: [{ inlineData: { mimeType: 'image/png', data: expect.any(String) } }] }]);
  });

  test('every action of the vocabulary does what it says', async () => {
    const turns = ACTION_CASES.map(([, actions]) => [{ name: 'navigate', args: { url: origin } },
      ...actions.map(({ name, args }) => ({ name, args: args && JSON.parse(JSON.stringify(args).replaceAll('SITE', origin)) }))]);
    const seen: string[][] = [];
    model.onRequest = () => seen.push(events.splice(0));
    const result = await run([...turns, 'done'], { maxSteps: 100, timeoutSeconds: 200 });
    model.onRequest = () => undefined;
    expect(result).toMatchObject({ stdout: 'done', exit_code: 0 });
    ACTION_CASES.forEach(([title, actions, expected], turn) => {
      expect([title, ...seen[turn + 1]!]).toEqual(expect.arrayContaining([title, ...expected]));
      expect(model.responses(turn).map(each => each.name)).toEqual(['navigate', ...actions.map(each => each.name)]);
      expect([title, model.responses(turn).filter(each => each.response.error).length]).toEqual([title, title.includes('https') ? 1 : 0]);
    });
    const tested = new Set(ACTION_CASES.flatMap(([, actions]) => actions.map(each => each.name)));
    expect(ACTION_NAMES.filter(name => !tested.has(name))).toEqual(['open_web_browser']);
  });

  test('a link that opens another page is followed there', async () => {
    await run([[{ name: 'navigate', args: { url: origin } }, { name: 'click_at', args: at(150, 330) }, { name: 'take_screenshot' }], 'done']);
    expect(model.responses(0).at(-1).response.url).toBe(`${origin}/other`);
  });

  test('an action that cannot be done is reported as an error, and the run goes on', async () => {
    const result = await run([REFUSED_ACTIONS.map(([name, args]) => ({ name, args })), 'gave up']);
    expect(model.responses(0).map(each => each.response)).toEqual(REFUSED_ACTIONS.map(([, , error]) => ({ url: 'about:blank', error })));
    expect(result).toMatchObject({ stdout: 'gave up', exit_code: 0 });
    REFUSED_ACTIONS.forEach(([, , error]) => expect(result.stderr).toContain(`step 1: failed: ${error}\n`));
  });

  test('nothing reaches a host that is not in the list, whatever asks for it', async () => {
    const result = await run([
      [{ name: 'navigate', args: { url: `${origin}/evil` } }, { name: 'wait', args: { seconds: 1 } }],
      [{ name: 'navigate', args: { url: `${origin}/away` } }, { name: 'navigate', args: { url: elsewhere } }],
      [{ name: 'navigate', args: { url: 'http://169.254.169.254/latest/meta-data' } }, { name: 'navigate', args: { url: `${origin}/files` } }],
      'done',
    ]);
    expect(events).toContain('socket');
    expect(reached).toEqual([]);
    const refused = /^not in the list of allowed domains: (.*)$/m.exec(result.stderr)![1]!.split(', ');
    expect(refused).toEqual(expect.arrayContaining([new URL(elsewhere).host, '169.254.169.254:80']));
  });

  test('a wildcard does not lead to an address that is not public', async () => {
    const result = await run([[{ name: 'navigate', args: { url: origin } }, { name: 'navigate', args: { url: origin.replace('127.0.0.1', 'localhost') } }], 'done'], { allowedDomains: [`*:${new URL(origin).port}`] });
    expect(events).toEqual([]);
    expect(result.stderr).toContain(`not in the list of allowed domains: ${host}, ${host.replace('127.0.0.1', 'localhost')}\n`);
  });

  test('an action that needs a confirmation ends the run before it is done', async () => {
    const safety = { safety_decision: { decision: 'require_confirmation', explanation: 'This buys something.' } };
    const result = await run([[{ name: 'navigate', args: { url: origin } }], [{ name: 'click_at', args: { ...at(450, 130), ...safety } }], 'done']);
    expect(result).toMatchObject({ stdout: '', exit_code: EXIT.confirmation });
    expect(result.stderr).toContain('not done, the model asks for a confirmation (require_confirmation): This buys something.\n');
    expect(events).not.toContain('click 1');
    expect((await run([[{ name: 'open_web_browser', args: { safety_decision: { decision: 'regular' } } }], 'fine'])).stdout).toBe('fine');
  });

  test('steps and time have limits', async () => {
    const steps = await run([[{ name: 'open_web_browser' }]], { maxSteps: 3 });
    expect([steps.exit_code, steps.stderr.split('\n').at(-2), model.requests.length]).toEqual([EXIT.limit, 'not done after 3 steps', 3]);
    const time = await run([[{ name: 'wait_5_seconds' }]], { timeoutSeconds: 2 });
    expect([time.exit_code, time.stderr.split('\n').at(-2)]).toEqual([EXIT.limit, 'not done after 2 s']);
  });

  test('old pictures are left out', async () => {
    const turn = [{ name: 'open_web_browser' }];
    await run([turn, turn, turn, turn, turn, 'done']);
    const pictures = model.requests.at(-1)!.body.contents.flatMap((content: any) => content.parts).filter((part: any) => part.functionResponse).map((part: any) => part.functionResponse.parts?.length ?? 0);
    expect(pictures).toEqual([0, 0, 1, 1, 1]);
  });

  test('a caller that disconnects ends the run', async () => {
    const giveUp = new AbortController();
    const running = run([[{ name: 'wait_5_seconds' }]], {}, giveUp.signal);
    giveUp.abort();
    expect(await running).toMatchObject({ exit_code: EXIT.failed, stderr: expect.stringContaining('the run was given up') });
  });

  test.each<[string, Turn, string]>([
    ['refuses', { status: 400 }, '[key]'],
    ['blocks the query', { raw: { promptFeedback: { blockReason: 'SAFETY' } } }, 'the model did not answer: SAFETY'],
    ['says nothing', { raw: { candidates: [{ finishReason: 'MAX_TOKENS', content: { role: 'model' } }] } }, 'the model did not answer: MAX_TOKENS'],
  ])('a model that %s is a failure without the key', async (_, turn, message) => {
    const result = await run([turn]);
    expect(result).toMatchObject({ stdout: '', exit_code: EXIT.failed });
    expect(result.stderr).toContain(message);
    expect(JSON.stringify(result)).not.toContain(KEY);
  });

  test('a browser that does not start is a failure', async () => {
    expect(await run(['done'], { chromium: '/no/such/browser' })).toMatchObject({ exit_code: EXIT.failed, stderr: expect.stringMatching(/^\/no\/such\/browser did not start: .*\n$/) });
    const sandboxed = await run(['done'], { chromium: '/no/such/browser', chromiumSandbox: true });
    expect(sandboxed.stderr).toContain('--agent-chromium-sandbox=false, where the container is the only border\n');
  });
});

describe('computer use without what it needs', () => {
  const options: AgentOptions = { apiKey: undefined, model: 'm', maxSteps: 1, timeoutSeconds: 1, allowedDomains: ['*'], searchUrl: '', chromium: CHROMIUM, chromiumSandbox: false };
  const { signal } = new AbortController();

  test('no key', async () => {
    expect(await runAgent('q', options, signal)).toEqual({ stdout: '', stderr: 'GEMINI_API_KEY was not found in the environment of the runtime\n', exit_code: 1 });
  });

  test('no domains', async () => {
    const stderr = 'the browser may reach no host: name them with --agent-allowed-domains or AGENT_ALLOWED_DOMAINS\n';
    expect(await runAgent('q', { ...options, apiKey: KEY, allowedDomains: [] }, signal)).toEqual({ stdout: '', stderr, exit_code: 1 });
  });
});
