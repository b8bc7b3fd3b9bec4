import { request as httpRequest } from 'node:http';
import { basename } from 'node:path';
import { afterAll, beforeAll, describe, expect, jest } from '@jest/globals';
import { request } from 'undici';
import { AuditLog } from '../audit-log.js';
import { FAKE_NODE_PROGRAMS, Nothing, ProvidedCluster as ProvidedClusterDescription, findPrograms, resolve } from '../binaries.js';
import { Cluster } from '../cluster.js';
import { ControlPlane } from '../control-plane.js';
import { ProgramName } from '../programs.js';
import { ProvidedCluster } from '../provided-cluster.js';

/** Milliseconds that a suite waits for the start of the control plane; the first one of a run does. */
const START_TIMEOUT_MS = 180_000;

/** Milliseconds of a test: more than `waitFor` waits, so that a failing condition is reported in its own words. */
const TEST_TIMEOUT_MS = 60_000;

/** What a suite cannot do without. A cluster that somebody provides has neither. */
export type Requirement = 'fakeNodes' | 'auditLog';

export interface SuiteOptions {
  /** @default - any cluster will do */
  readonly requires?: readonly Requirement[];
}

/** What a suite tests with. Its properties are there in tests and in hooks, not while the suite is being defined. */
export interface Testbed {
  /** The cluster that all suites of this run share. */
  readonly cluster: Cluster;
  /** A namespace of this suite alone; it is deleted afterwards. */
  readonly namespace: string;
  /** Requests of the whole run: filter by namespace, user or time. Needs the requirement `auditLog`. */
  readonly auditLog: AuditLog;
}

/**
 * `describe` for tests that need a Kubernetes API server; they have a minute each unless they say otherwise. All suites of a
 * run share one, which starts when the first asks for it. If there is nothing to start, the tests are reported as skipped and
 * the reason is printed once.
 *
 * Needs `globalSetup` and `globalTeardown` of this folder in the jest configuration.
 */
export function describeWithControlPlane(name: string, suite: (testbed: Testbed) => void, options: SuiteOptions = {}): void {
  const found = find(options.requires ?? []);
  if (found.kind === 'nothing') {
    reportSkipped(found.reason);
    describe.skip(`${name} (${found.reason})`, () => suite(outsideOfTests));
    return;
  }
  jest.setTimeout(TEST_TIMEOUT_MS);
  describe(name, () => {
    let current: Testbed | undefined;
    beforeAll(async () => {
      const dir = await startShared();
      const cluster = found.kind === 'provided' ? ProvidedCluster.connect(found) : await ControlPlane.attach(dir!);
      const namespace = await cluster.createNamespace(basename(expect.getState().testPath ?? 'test').replace(/\.test\.\w+$/, ''));
      current = { cluster, namespace, get auditLog() { return auditLogOf(cluster); } };
    }, START_TIMEOUT_MS);
    afterAll(async () => {
      await current?.cluster.deleteNamespace(current.namespace);
      await current?.cluster.close();
    });
    suite({
      get cluster() { return (current ?? outsideOfTests).cluster; },
      get namespace() { return (current ?? outsideOfTests).namespace; },
      get auditLog() { return (current ?? outsideOfTests).auditLog; },
    });
  });
}

/**
 * `describe` for tests that start control planes of their own with `ControlPlane.start()`. If programs are missing, the tests
 * are reported as skipped and the reason is printed once.
 *
 * @param needs programs beyond etcd, kube-apiserver and kubectl
 */
export function describeWithPrograms(name: string, suite: () => void, needs: readonly ProgramName[] = []): void {
  const found = findPrograms(needs);
  if (found.kind === 'nothing') {
    reportSkipped(found.reason);
    describe.skip(`${name} (${found.reason})`, suite);
  } else {
    jest.setTimeout(TEST_TIMEOUT_MS);
    describe(name, suite);
  }
}

function find(requires: readonly Requirement[]): ProvidedClusterDescription | Nothing | { kind: 'binaries' } {
  const found = resolve(requires.includes('fakeNodes') ? FAKE_NODE_PROGRAMS : []);
  return found.kind === 'provided' && requires.length > 0
    ? { kind: 'nothing', reason: `needs ${requires.join(' and ')}, which the cluster of AGENT_SANDBOX_TEST_KUBECONFIG does not have: unset it` }
    : found;
}

const outsideOfTests: Testbed = {
  get cluster(): Cluster { return tooEarly('cluster'); },
  get namespace(): string { return tooEarly('namespace'); },
  get auditLog(): AuditLog { return tooEarly('auditLog'); },
};

function tooEarly(property: string): never {
  throw new Error(`testbed.${property} is there in tests and hooks only: use it inside test(), beforeAll() or beforeEach()`);
}

function auditLogOf(cluster: Cluster): AuditLog {
  if (!(cluster instanceof ControlPlane)) {
    throw new Error("a provided cluster has no audit log: give the suite requires: ['auditLog']");
  }
  return cluster.auditLog;
}

/** How to reach the main process of this run, undefined if jest was not told to set that up. */
function run(): { origin: string; headers: Record<string, string> } | undefined {
  const [origin, token] = (process.env.AGENT_SANDBOX_TESTBED_RUN ?? '').split(' ');
  return token ? { origin, headers: { authorization: `Bearer ${token}` } } : undefined;
}

/** Has the main process start what suites share. Returns the folder of the control plane, undefined if a cluster is provided. */
async function startShared(): Promise<string | undefined> {
  const main = run();
  if (!main) {
    throw new Error('no control plane for this run: set globalSetup and globalTeardown to testbed/src/jest/setup.mjs and teardown.mjs in the jest configuration');
  }
  const { body } = await request(`${main.origin}/control-plane`, { headers: main.headers });
  const answer = await body.json() as { dir?: string; error?: string };
  if (answer.error) {
    throw new Error(`the control plane of this run did not start: ${answer.error}`);
  }
  return answer.dir;
}

function reportSkipped(reason: string): void {
  const main = run();
  if (main) {
    // Nothing waits for it, so it must need no further module: by then jest may have torn the suite's environment down. A lost
    // line loses a courtesy, the tests are reported as skipped all the same.
    httpRequest(`${main.origin}/skipped`, { method: 'POST', headers: main.headers, agent: false }, response => response.resume())
      .on('error', () => undefined)
      .end(reason);
  }
}
