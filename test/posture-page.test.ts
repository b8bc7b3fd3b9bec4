import { existsSync } from 'node:fs';
import { type Browser, chromium, type Page } from 'playwright-core';
import { Posture, SandboxNetwork, SandboxTemplate, SandboxWarmPool } from '../src';
import { SCRIPT } from '../src/posture/page/script';
import { STYLE } from '../src/posture/page/style';
import { POD } from './helpers';
import { chartWith, mutated, MUTATIONS } from './network-mutations';

const CHROMIUM = process.env.AGENT_CHROMIUM ?? '/usr/bin/chromium';
/** What the page itself may weigh, without what it says. */
const MOST_BYTES_OF_PAGE = 16_384;
/** What the page of one sandbox adds. */
const MOST_BYTES_OF_SANDBOX = 16_384;
const CONTRAST = 4.5;

const HOSTILE = '"><img src=x onerror="globalThis.pwned=1"><script>globalThis.pwned=1</script></style>\u0000';

/** A set in which every text that a manifest can choose is hostile. */
function hostile(): any[] {
  const spec = {
    runtimeClassName: HOSTILE, serviceAccountName: HOSTILE, automountServiceAccountToken: true, nodeSelector: { [HOSTILE]: HOSTILE },
    containers: [{ name: HOSTILE, image: HOSTILE, env: [{ name: `${HOSTILE}_TOKEN`, value: HOSTILE }], resources: { limits: { [HOSTILE]: HOSTILE } } }],
  };
  const api = 'extensions.agents.x-k8s.io/v1beta1';
  return [
    { apiVersion: api, kind: 'SandboxTemplate', metadata: { name: HOSTILE, namespace: HOSTILE }, spec: { podTemplate: { spec }, networkPolicy: { egress: [{ to: [{ podSelector: { matchLabels: { [HOSTILE]: HOSTILE } } }] }] } } },
    { apiVersion: api, kind: 'SandboxWarmPool', metadata: { name: HOSTILE, namespace: HOSTILE }, spec: { sandboxTemplateRef: { name: HOSTILE }, replicas: HOSTILE } },
    { apiVersion: api, kind: 'SandboxClaim', metadata: { name: HOSTILE, namespace: HOSTILE }, spec: { warmPoolRef: { name: HOSTILE } } },
  ];
}

function sample(): Posture {
  const chart = chartWith(SandboxNetwork.publicInternet());
  new SandboxWarmPool(chart, 'pool', { template: new SandboxTemplate(chart, 'other', { ...POD, network: SandboxNetwork.unmanaged() }) }).claim('claim');
  return Posture.of(chart);
}

test('the page itself stays small, and so does what a sandbox adds', () => {
  expect(STYLE.length + SCRIPT.length).toBeLessThan(MOST_BYTES_OF_PAGE);
  expect(sample().toHtml().length - Posture.ofManifests([]).toHtml().length).toBeLessThan(2 * MOST_BYTES_OF_SANDBOX);
});

test('the policy of the page allows its own style and script, and nothing else', () => {
  const html = sample().toHtml();
  expect(html.match(/Content-Security-Policy" content="([^"]*)"/)![1]).toMatch(/^default-src 'none'; style-src 'sha256-[\w+/]{43}='; script-src 'sha256-[\w+/]{43}='; base-uri 'none'; form-action 'none'$/);
  expect(html).not.toMatch(/ (style|on\w+)=|https?:\/\/|url\(/);
});

(existsSync(CHROMIUM) ? describe : describe.skip)(existsSync(CHROMIUM) ? 'in Chromium' : `in Chromium (none at ${CHROMIUM})`, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: CHROMIUM, headless: true, chromiumSandbox: false, args: ['--disable-dev-shm-usage'] });
  });
  afterAll(() => browser.close());

  /** Shows a page, and notes what it should not do. */
  async function shown(html: string, options: Parameters<Browser['newContext']>[0] = {}): Promise<{ page: Page; faults: string[] }> {
    const context = await browser.newContext(options);
    const page = await context.newPage();
    const faults: string[] = [];
    page.on('console', message => faults.push(message.text()));
    page.on('pageerror', error => faults.push(error.message));
    await page.route('**/*', route => {
      if (route.request().url() === 'http://posture.test/') {
        return route.fulfill({ contentType: 'text/html', body: html });
      }
      faults.push(route.request().url());
      return route.abort();
    });
    await page.goto('http://posture.test/');
    return { page, faults };
  }

  test('hostile names are text, and nothing is asked for', async () => {
    const posture = Posture.ofManifests(hostile());
    const { page, faults } = await shown(posture.toHtml({ title: HOSTILE, before: Posture.ofManifests([]), beforeName: HOSTILE }));
    expect(await page.evaluate('globalThis.pwned')).toBeUndefined();
    expect(await page.locator('img').count()).toBe(0);
    expect(await page.locator('h1').textContent()).toBe(HOSTILE.replace('\u0000', '\ufffd'));
    expect(await page.locator('article h3').first().textContent()).toContain('<script>globalThis.pwned=1</script>');
    expect(faults).toEqual([]);
    const parsed = await page.evaluate(text => {
      const { DOMParser } = globalThis as any;
      const document = new DOMParser().parseFromString(text, 'application/xml');
      return [document.querySelectorAll('parsererror').length, document.querySelectorAll('testsuite').length];
    }, posture.toJunit(true));
    expect(parsed).toEqual([0, posture.entries.length]);
    await page.context().close();
  });

  test.each(['light', 'dark'] as const)('every text can be read in %s mode', async colorScheme => {
    const { page, faults } = await shown(Posture.ofManifests(mutated(MUTATIONS[0][2], [])).toHtml({ before: sample() }), { colorScheme });
    const poor = await page.evaluate(least => {
      const { document, getComputedStyle } = globalThis as any;
      const channels = (color: string) => color.match(/[\d.]+/g)!.map(Number);
      const light = ([r, g, b]: number[]) => [r, g, b].map(each => each / 255).map(each => (each <= 0.03928 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4))
        .reduce((sum, each, index) => sum + each * [0.2126, 0.7152, 0.0722][index], 0);
      const behind = (element: any): number[] => {
        const color = element ? channels(getComputedStyle(element).backgroundColor) : [255, 255, 255];
        return color.length === 4 && color[3] === 0 ? behind(element.parentElement) : color;
      };
      return [...document.body.querySelectorAll('*')].filter((element: any) => !element.closest('svg,script,style,.skip') && [...element.childNodes].some((node: any) => node.nodeType === 3 && node.textContent.trim() !== ''))
        .map((element: any) => {
          const [a, b] = [light(channels(getComputedStyle(element).color)), light(behind(element))].sort((x, y) => y - x);
          return { text: element.textContent.slice(0, 40), ratio: (a + 0.05) / (b + 0.05) };
        }).filter(({ ratio }) => ratio < least);
    }, CONTRAST);
    expect(poor).toEqual([]);
    const background = await page.evaluate<string>('getComputedStyle(document.body).backgroundColor');
    expect(Number(background.match(/\d+/)![0]) < 128).toBe(colorScheme === 'dark');
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test('the keyboard reaches everything', async () => {
    const { page, faults } = await shown(sample().toHtml());
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Skip to the content');
    await page.keyboard.press('/');
    await page.keyboard.type('agents/python');
    expect(await page.locator('article:visible h3').allTextContents()).toEqual(['SandboxTemplate agents/python']);
    expect(await page.locator('.matrix.live tbody tr:visible').count()).toBe(1);
    await page.keyboard.press('Escape');
    expect(await page.locator('article:visible').count()).toBe(4);

    const label = () => page.evaluate<string>("document.activeElement.getAttribute('aria-label')");
    await page.locator('svg a').first().focus();
    await page.keyboard.press('ArrowRight');
    expect(await label()).toMatch(/^SandboxTemplate agents\/(other|python),|^SandboxTemplate (other|python),/);
    await page.keyboard.press('ArrowLeft');
    expect(await label()).toMatch(/^Tenant agents,/);
    await page.keyboard.press('Enter');
    expect(await page.evaluate("document.querySelector('article:target h3').textContent")).toBe('Tenant agents');

    await page.locator('.matrix.live tbody td').first().focus();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('End');
    expect(await page.locator('#said').textContent()).toMatch(/^SandboxTemplate agents\/\w+ to public internet: (allowed|denied)/);
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test('only what is not default, without a script', async () => {
    const { page } = await shown(sample().toHtml(), { javaScriptEnabled: false });
    const before = await page.locator('dl > div:visible').count();
    await page.locator('#chosen').check();
    const after = await page.locator('dl > div:visible').count();
    expect(after).toBeLessThan(before);
    expect(await page.locator('dl > div:visible', { hasText: 'default' }).count()).toBe(await page.locator('dl > div:visible', { hasText: 'closed-by-default' }).count());
    expect(await page.locator('#search').isVisible()).toBe(false);
    await page.context().close();
  });

  test('paper gets the tables open and no navigation', async () => {
    const { page } = await shown(sample().toHtml());
    expect(await page.locator('details[open]').count()).toBe(0);
    await page.evaluate("dispatchEvent(new Event('beforeprint'))");
    await page.emulateMedia({ media: 'print' });
    expect(await page.locator('nav').isVisible()).toBe(false);
    expect(await page.locator('details[open]').count()).toBe(1);
    await page.context().close();
  });

  test('a narrow window does not scroll sideways', async () => {
    const { page } = await shown(sample().toHtml({ before: Posture.ofManifests([]) }), { viewport: { width: 375, height: 700 } });
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(375);
    await page.context().close();
  });
});
