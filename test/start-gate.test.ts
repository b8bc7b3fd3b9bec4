import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { Isolation, SandboxTemplate, StartGate } from '../src';
import { synth, testChart } from './helpers';

describe('StartGate', () => {
  const gate = StartGate.container({ image: 'registry.example/runtime:1', canaryHost: '127.0.0.1', canaryPort: 9, timeoutSeconds: 1 });

  test('is an init container that meets the restricted level', () => {
    const chart = testChart();
    new SandboxTemplate(chart, 'gated', {
      containers: [{ image: 'registry.example/app:1' }], isolation: Isolation.none(), initContainers: [StartGate.container({ image: 'registry.example/runtime:1' })],
    });
    const [init] = synth(chart).find(({ kind }: any) => kind === 'SandboxTemplate').spec.podTemplate.spec.initContainers;
    expect(init).toMatchObject({
      name: 'start-gate',
      image: 'registry.example/runtime:1',
      env: [{ name: 'GATE_TIMEOUT_SECONDS', value: '60' }],
      securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
    });
    expect(init.command.slice(0, 2)).toEqual(['node', '-e']);
  });

  test.each([
    [{ image: '' }, 'image'],
    [{ image: 'a', canaryPort: 0 }, 'canaryPort'],
    [{ image: 'a', timeoutSeconds: 0 }, 'timeoutSeconds'],
  ])('refuses %j', (options, prop) => {
    expect(() => StartGate.container(options)).toThrow(prop);
  });

  const run = (port: number, timeoutSeconds: string) => {
    const env = { PATH: process.env.PATH, KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: `${port}`, GATE_TIMEOUT_SECONDS: timeoutSeconds };
    const child = spawn(process.execPath, gate.command!.slice(1), { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', data => output += data);
    child.stderr.on('data', data => output += data);
    return once(child, 'close').then(([code]) => ({ code, output }));
  };

  test('opens when the canary stops answering, and tells how long that took', async () => {
    let answered = 0;
    const server = createServer(socket => {
      socket.on('error', () => undefined).destroy();
      if (++answered === 3) {
        server.close();
      }
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    expect(await run((server.address() as AddressInfo).port, '30')).toEqual({ code: 0, output: expect.stringMatching(/^closed after \d+ ms; 127\.0\.0\.1:\d+ answered \d+ times\n$/) });
    expect(answered).toBeGreaterThanOrEqual(3);
  });

  test('fails while the canary answers, and says what that means', async () => {
    const server = createServer(socket => socket.on('error', () => undefined).destroy());
    await once(server.listen(0, '127.0.0.1'), 'listening');
    expect(await run((server.address() as AddressInfo).port, '1')).toEqual({ code: 1, output: expect.stringContaining('still answers after 1 s: no NetworkPolicy blocks it') });
    server.close();
  });
});
