import { App, Chart } from 'cdk8s';
import { Checks, Isolation, SandboxAssertions, SandboxTemplate } from 'cdk8s-agent-sandbox';
import { matchers } from 'cdk8s-agent-sandbox/matchers.js';
import { expect, test } from 'vitest';

expect.extend(matchers);

function appUnder(isolation: Isolation): App {
  const app = new App();
  const chart = new Chart(app, 'agents', { namespace: 'agents' });
  new SandboxTemplate(chart, 'python', { containers: [{ image: 'registry.example/python:3.13', port: 8888, memory: '512Mi' }], isolation });
  return app;
}

test('assertions and checks hold', () => {
  SandboxAssertions.of(appUnder(Isolation.gvisor())).isRestricted().runsUnder('gvisor').hasNoFindings();
  expect(Checks.of(appUnder(Isolation.gvisor()))).toEqual([]);
});

test('an assertion explains why it fails', () => {
  SandboxAssertions.of(appUnder(Isolation.gvisor())).hasSandbox('box');
});

test('a posture is that of the file beside the test', () => {
  expect(appUnder(Isolation.gvisor())).toMatchPosture();
});

test('a posture of a named file explains what has changed', () => {
  expect(appUnder(Isolation.none())).toMatchPosture('closed.vitest.posture.txt');
});
