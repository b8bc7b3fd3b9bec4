import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import * as kplus from 'cdk8s-plus-28';
import { App, Chart } from 'cdk8s';
import { CertificateAuthority } from '../../testbed/src/certificates.js';
import { type KubeObject, waitFor } from '../../testbed/src/index.js';
import { describeWithNode } from '../../testbed/src/jest/index.js';
import { bundle } from '../../scripts/bundle';
import { applyObjects, exampleObjects } from './support/examples';
import { IMAGES, SYSTEM, importImages, install } from './support/installation';
import { PodBench } from './support/pod-bench';
import { SANDBOX, isReady } from './support/sandboxes';

const CHROMIUM = process.env.AGENT_CHROMIUM ?? '/usr/bin/chromium';
const DOMAIN = 'sandboxes.test';
const SCREENSHOTS = path.join(__dirname, '..', '..', 'docs', 'images');
/** Writes the screenshots of the docs. */
const WRITE = process.env.AGENT_SANDBOX_WRITE_DOCS === '1';
/** Bytes that a screenshot in the docs may have. */
const LARGEST_SCREENSHOT = 150_000;
/** The machine of the tests is small; without a request, the limit would be the request. */
const withoutCpu = ({ resources }: { resources: { requests?: { cpu?: string }; limits?: { cpu?: string } } }) => {
  delete resources.requests?.cpu;
  delete resources.limits?.cpu;
};
const LONG_MS = 280_000;
/** Images that were never built before take a quarter of an hour. */
const BUILD_MS = 1_800_000;

describeWithNode('the examples', testbed => {
  const pods = new PodBench(testbed);
  let browser: Browser;
  let port: number;
  let closeForward: () => Promise<void>;

  beforeAll(async () => {
    if (!fs.existsSync(CHROMIUM)) {
      throw new Error(`no browser at ${CHROMIUM}: install Chromium, or set AGENT_CHROMIUM`);
    }
    const { cluster, node } = testbed;
    await importImages(cluster, ['runtime-python', 'vscode', 'all-in-one', 'computer-use']);
    const ca = await CertificateAuthority.create('tests');
    const { cert, key } = await ca.issue({ commonName: DOMAIN, serverNames: [`*.${DOMAIN}`] });
    const secret = (name: string, type: string, stringData: object) => ({ apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: SYSTEM }, type, stringData });
    await cluster.admin.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: SYSTEM } });
    await cluster.admin.apply(secret('sandboxes-tls', 'kubernetes.io/tls', { 'tls.crt': cert, 'tls.key': key }));
    await cluster.admin.apply(secret('router-session', 'Opaque', { key: 'k'.repeat(64) }));
    const scope = new Chart(new App(), 'secrets');
    await install(cluster, {
      router: {
        image: IMAGES.router,
        tlsSecret: kplus.Secret.fromSecretName(scope, 'tls', 'sandboxes-tls'),
        browser: { domain: DOMAIN, sessionSecret: kplus.Secret.fromSecretName(scope, 'session', 'router-session') },
      },
    });
    const { spec } = await cluster.admin.get({ apiVersion: 'v1', kind: 'Service', namespace: SYSTEM, name: 'sandbox-router-svc' });
    const forward = await node.forward(spec.clusterIP, spec.ports.find((each: { name: string }) => each.name === 'https').port);
    closeForward = () => forward.close();
    port = forward.port;
    browser = await chromium.launch({ executablePath: CHROMIUM, headless: true, chromiumSandbox: false, args: [`--host-resolver-rules=MAP *.${DOMAIN} 127.0.0.1`, '--disable-dev-shm-usage'] });
  }, BUILD_MS);
  afterAll(async () => {
    await browser?.close();
    await closeForward?.();
  });

  /** Runs the Sandbox of an example, with an owner of the namespace whose tokens open it. */
  async function running(example: string, name: string, change: (object: any) => void = () => undefined): Promise<{ namespace: string; token: string }> {
    const { cluster } = testbed;
    const objects = exampleObjects(example, object => {
      object.spec?.podTemplate?.spec?.containers?.forEach(withoutCpu);
      change(object);
    });
    await applyObjects(cluster, objects);
    const { metadata: { namespace } } = objects.find(({ kind, metadata }) => kind === 'Sandbox' && metadata.name === name)! as { metadata: { namespace: string } };
    await allow(namespace);
    await cluster.admin.waitFor({ ...SANDBOX, namespace, name }, (sandbox: KubeObject) => isReady(sandbox), { timeoutMs: LONG_MS });
    const { stdout } = await cluster.kubectl(['create', 'token', 'developer', '-n', namespace, '--audience', 'agent-sandbox-router']);
    return { namespace, token: stdout.trim() };
  }

  /** Lets the service account `developer` use the sandboxes of a namespace. */
  async function allow(namespace: string): Promise<void> {
    await testbed.cluster.admin.apply({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'developer', namespace } });
    await testbed.cluster.admin.apply({
      apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'RoleBinding', metadata: { name: 'developer', namespace },
      subjects: [{ kind: 'ServiceAccount', name: 'developer', namespace }],
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'agent-sandbox-user' },
    });
  }

  async function newContext(): Promise<BrowserContext> {
    const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1000, height: 640 } });
    context.setDefaultTimeout(LONG_MS);
    return context;
  }

  async function screenshot(page: Page, name: string): Promise<void> {
    const picture = await page.screenshot();
    expect(picture.length).toBeLessThan(LARGEST_SCREENSHOT);
    const file = path.join(SCREENSHOTS, `${name}.png`);
    if (WRITE) {
      fs.mkdirSync(SCREENSHOTS, { recursive: true });
      fs.writeFileSync(file, picture);
    }
    expect(fs.existsSync(file)).toBe(true);
  }

  /** Waits for a file of a sandbox to have this content. */
  async function expectFile(namespace: string, name: string, file: string, content: string): Promise<void> {
    let last = '';
    await waitFor(async () => {
      last = (await testbed.cluster.kubectl(['exec', '-n', namespace, name, '--', 'cat', file], { allowFailure: true })).stdout;
      return last === content;
    }, { what: `${file} to be ${JSON.stringify(content)}`, timeoutMs: LONG_MS, lastSeen: () => JSON.stringify(last) });
  }

  /** Uses the terminal of VS Code, and edits a file. */
  async function useEditor(page: Page, namespace: string, name: string): Promise<void> {
    await page.locator('.monaco-workbench').waitFor();
    await page.locator('.explorer-folders-view').first().waitFor();
    await page.keyboard.press('Control+Backquote');
    await page.locator('.xterm-helper-textarea').first().waitFor({ state: 'attached' });
    await page.locator('.terminal .xterm-screen').first().click();
    await page.keyboard.type('echo "print(6 * 7)" > answer.py && python answer.py > answer.txt\n');
    await expectFile(namespace, name, '/workspace/answer.txt', '42\n');
    await page.keyboard.press('Control+P');
    await page.locator('.quick-input-widget input').first().waitFor();
    await page.keyboard.type('answer.py');
    await page.locator('.quick-input-list .monaco-list-row', { hasText: 'answer.py' }).first().waitFor();
    await page.keyboard.press('Enter');
    await page.locator('.editor-instance .view-lines', { hasText: 'print' }).first().click();
    await page.keyboard.press('Control+Home');
    await page.keyboard.type('# edited in a browser\n');
    await page.keyboard.press('Control+S');
    await expectFile(namespace, name, '/workspace/answer.py', '# edited in a browser\nprint(6 * 7)\n');
  }

  test('python-runtime, under gVisor: through SDK and command line', async () => {
    const { cluster } = testbed;
    const namespace = 'agents';
    await cluster.admin.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
    const objects = exampleObjects('python-runtime', object => {
      if (object.kind === 'SandboxWarmPool' && object.metadata.name === 'python-gvisor-pool') {
        object.spec.replicas = 1;
      }
    });
    await applyObjects(cluster, objects.filter(({ kind, metadata }) => kind === 'Sandbox' || metadata.name!.startsWith('python-gvisor')));
    await allow(namespace);
    const { path: kubeconfig } = await cluster.kubeconfig();
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'node-python-'));
    const run = (...args: string[]) => {
      const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: LONG_MS, env: { ...process.env, NODE_OPTIONS: '', KUBECONFIG: kubeconfig } });
      expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
      return stdout;
    };
    const python = 'import numpy, pandas, sklearn, scipy, matplotlib, lightgbm; print(pandas.DataFrame({"a": numpy.arange(4)}).a.sum() * 7, open("/proc/version").read().split()[2])';
    try {
      const program = await bundle('client', folder);
      const out = run(program, 'run', '-n', namespace, '--service-account', 'developer', '--pool', 'python-gvisor-pool', '--quiet', '--', 'python', '-c', python);
      // Another kernel than that of the machine.
      expect(out).toMatch(/^42 \S+\n$/);
      expect(out).not.toContain(os.release());
      const sdk = pathToFileURL(path.join(__dirname, '..', '..', 'packages', 'client', 'src', 'index.ts')).href;
      expect(run('--conditions=agent-sandbox-source', '--import', 'tsx', '--input-type=module', '-e', `
        const { RouterToken, SandboxClient } = await import('${sdk}');
        const client = new SandboxClient({ namespace: '${namespace}', token: RouterToken.fromServiceAccount({ name: 'developer' }) });
        const sandbox = await client.create({ pool: 'python-gvisor-pool' });
        try {
          await sandbox.files.write('main.py', 'print(6 * 7)');
          const { stdout } = await sandbox.commands.run('python main.py');
          const names = (await sandbox.files.list('.')).map(({ name }) => name);
          console.log(stdout.trim(), names.join());
        } finally {
          await sandbox.delete();
          await client.close();
        }`)).toBe('42 main.py\n');
      // The Sandbox for weeks runs, too.
      await cluster.admin.waitFor({ ...SANDBOX, namespace, name: 'sandbox-python-example' }, isReady, { timeoutMs: LONG_MS });
    } finally {
      fs.rmSync(folder, { recursive: true });
      await cluster.deleteNamespace(namespace);
    }
  }, 2 * LONG_MS);

  const addressOf = (name: string, namespace: string, target: number) => `https://${name}--${namespace}--${target}.${DOMAIN}:${port}`;

  test('vscode, under gVisor: a file is edited and a command is run', async () => {
    const name = 'vscode-gvisor';
    const { namespace, token } = await running('vscode', name);
    const context = await newContext();
    const page = await context.newPage();
    const address = addressOf(name, namespace, 8080);
    await page.goto(`${address}/?folder=/workspace&sandbox_token=${token}`);
    expect(page.url()).not.toContain(token);
    await useEditor(page, namespace, name);
    await screenshot(page, 'vscode');
    await context.close();
    await testbed.cluster.deleteNamespace(namespace);
  }, 2 * LONG_MS);

  test('all-in-one, under runc: a desktop paints and takes keys; xterm finds no terminal under the gVisor of Debian', async () => {
    const name = 'aio-sandbox-example';
    const { namespace, token } = await running('aio', name, object => delete object.spec?.podTemplate?.spec?.runtimeClassName);
    const context = await newContext();
    const page = await context.newPage();
    await page.goto(`${addressOf(name, namespace, 8888)}/?sandbox_token=${token}`);
    await page.getByRole('link', { name: 'Desktop' }).click();
    const canvas = page.locator('canvas').first();
    await canvas.waitFor();
    await waitFor(async () => (await colorsOf(page)) > 1, { what: 'a painted desktop', timeoutMs: LONG_MS });
    await canvas.click({ position: { x: 200, y: 200 } });
    await page.keyboard.type('echo typed > /workspace/typed.txt; uname -sr; id -un\n');
    await expectFile(namespace, name, '/workspace/typed.txt', 'typed\n');

    await context.close();
    await testbed.cluster.deleteNamespace(namespace);
    await testbed.cluster.admin.waitGone({ apiVersion: 'v1', kind: 'Namespace', name: namespace }, { timeoutMs: LONG_MS });
  }, 2 * LONG_MS);

  test('all-in-one, under gVisor: editor, notebook and commands, each at its path of one port', async () => {
    const name = 'aio-sandbox-example';
    const { namespace, token } = await running('aio', name);
    const context = await newContext();
    const page = await context.newPage();
    const address = addressOf(name, namespace, 8888);
    await page.goto(`${address}/?sandbox_token=${token}`);
    expect(await page.title()).toBe('Sandbox');

    await page.goto(`${address}/jupyter/lab?reset`);
    await page.locator('.jp-LauncherCard[data-category="Notebook"]').first().click();
    await page.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').waitFor();
    await page.locator('.jp-Notebook .jp-Cell .cm-content').first().click();
    await page.keyboard.type("import platform\nprint(6 * 7, 'on', platform.system())");
    await page.keyboard.press('Shift+Enter');
    await page.locator('.jp-OutputArea-output', { hasText: '42 on Linux' }).first().waitFor();

    await page.goto(`${address}/vscode/?folder=/workspace`);
    await useEditor(page, namespace, name);

    const answer = await page.request.post(`${address}/execute`, { data: { command: 'cat answer.txt' }, headers: { authorization: `Bearer ${token}` } });
    expect(await answer.json()).toMatchObject({ stdout: '42\n', exit_code: 0 });
    await context.close();
    await testbed.cluster.deleteNamespace(namespace);
  }, 4 * LONG_MS);

  /** How many colors of the desktop are sampled. */
  function colorsOf(page: Page): Promise<number> {
    return page.evaluate(`(() => {
      const canvas = document.querySelector('canvas');
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      const colors = new Set();
      for (let at = 0; at < data.length; at += 4 * 97) {
        colors.add(data[at] + ',' + data[at + 1] + ',' + data[at + 2]);
      }
      return colors.size;
    })()`);
  }

  test('computer use, under gVisor: the agent opens a page and reaches its goal', async () => {
    const { cluster } = testbed;
    const namespace = 'computer-use';
    // A model that asks for a page, and answers with what it was shown.
    const model = "let n = 0; require('http').createServer((q, s) => { let b = ''; q.on('data', c => b += c).on('end', () => { const parts = JSON.parse(b).contents.at(-1).parts; const seen = JSON.stringify(parts);"
      + " const answer = seen.includes('functionResponse') ? [{ text: 'I was shown ' + (/https?:..[a-z.]+/.exec(seen) || ['nothing'])[0] + (seen.includes('inlineData') ? ' and a picture' : '') }] : [{ functionCall: { name: 'navigate', args: { url: 'http://example.com/' } } }];"
      + " s.setHeader('content-type', 'application/json'); s.end(JSON.stringify({ candidates: [{ content: { role: 'model', parts: answer }, finishReason: 'STOP', index: 0 }] })); }); }).listen(8000)";
    await cluster.admin.create({
      apiVersion: 'v1', kind: 'Pod', metadata: { name: 'model', namespace: testbed.namespace },
      spec: { containers: [{ name: 'model', image: IMAGES.runtime, imagePullPolicy: 'Never', command: ['/usr/local/bin/node', '-e', model] }] },
    });
    const { ip } = await pods.ready('model');
    await applyObjects(cluster, exampleObjects('gemini-computer-use', object => {
      if (object.kind === 'SandboxTemplate') {
        const [container] = object.spec.podTemplate.spec.containers;
        container.env.push({ name: 'AGENT_BASE_URL', value: `http://${ip}:8000` });
        // The gVisor of the tests is too old for Chromium's own sandbox; the runtime says so at its start.
        container.env.push({ name: 'AGENT_CHROMIUM_SANDBOX', value: 'false' });
        withoutCpu(container);
      } else if (object.kind === 'SandboxWarmPool') {
        object.spec.replicas = 1;
      }
    }));
    await cluster.admin.apply({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'gemini-api-key', namespace }, stringData: { key: 'a-key' } });
    await cluster.admin.apply({
      apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name: 'model', namespace },
      spec: { podSelector: { matchLabels: { app: 'sandbox' } }, policyTypes: ['Egress'], egress: [{ to: [{ ipBlock: { cidr: `${ip}/32` } }] }] },
    });
    const claim = { apiVersion: 'extensions.agents.x-k8s.io/v1beta1', kind: 'SandboxClaim' };
    await cluster.admin.create({ ...claim, metadata: { name: 'goal', namespace }, spec: { warmPoolRef: { name: 'sandbox-python-computeruse-warmpool' } } });
    const { status } = await cluster.admin.waitFor({ ...claim, name: 'goal', namespace }, isReady, { timeoutMs: LONG_MS });
    await using forward = await testbed.node.forward((await cluster.admin.get({ apiVersion: 'v1', kind: 'Pod', namespace, name: status.sandbox.name })).status.podIP, 8888);
    const answer = await fetch(`http://127.0.0.1:${forward.port}/agent`, {
      method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ query: 'Open example.com' }), signal: AbortSignal.timeout(LONG_MS),
    });
    expect(await answer.json()).toMatchObject({ stdout: expect.stringContaining('I was shown http://example.com and a picture'), exit_code: 0 });
    await cluster.deleteNamespace(namespace);
  }, 2 * LONG_MS);
}, { long: true });
