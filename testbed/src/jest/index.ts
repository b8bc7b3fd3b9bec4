import { request as httpRequest } from 'node:http';
import { basename } from 'node:path';
import { afterAll, beforeAll, describe, expect, jest } from '@jest/globals';
import { request } from 'undici';
import type { AuditLog } from '../audit-log.js';
import { installedPath, isInstalled } from '../cache.js';
import { FAKE_NODE_PROGRAMS, NODE_PROGRAMS, type Nothing, type ProvidedCluster as ProvidedClusterDescription, findPrograms, resolve } from '../binaries.js';
import type { Cluster } from '../cluster.js';
import { ControlPlane } from '../control-plane.js';
import type { RealNode } from '../node/real-node.js';
import { missingForNode } from '../node/requirements.js';
import { type ProgramName, program } from '../programs.js';
import { ProvidedCluster } from '../provided-cluster.js';

/** Milliseconds that a suite waits for the start of the control plane; the first one of a run does. */
const START_TIMEOUT_MS = 180_000;

/** Milliseconds of a test: more than `waitFor` waits, so that a failing condition is reported in its own words. */
const TEST_TIMEOUT_MS = 60_000;

/** Milliseconds of a test whose pods start containers. */
const NODE_TEST_TIMEOUT_MS = 180_000;

/** A requirement of a suite. A provided cluster meets neither. */
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
      const dir = await startShared('/control-plane');
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

/**
 * `describe` for tests that run programs which have nothing to do with a cluster. If one is missing, the tests are reported as skipped and
 * the reason is printed once.
 *
 * @param needs the programs
 * @param suite gets the path of each of them by its name
 */
export function describeWithTools(name: string, needs: readonly ProgramName[], suite: (pathOf: (tool: ProgramName) => string) => void): void {
  const missing = needs.filter(each => !isInstalled(program(each)));
  if (missing.length > 0) {
    const reason = `${missing.join(', ')} not built: run "npm run testbed -- build"`;
    reportSkipped(reason);
    describe.skip(`${name} (${reason})`, () => suite(outsideOfTools));
    return;
  }
  describe(name, () => suite(tool => installedPath(program(tool))));
}

function outsideOfTools(tool: ProgramName): never {
  throw new Error(`${tool} is not built`);
}

/** What a suite on a real node tests with. */
export interface NodeTestbed {
  /** The control plane that all such suites of this run share. */
  readonly cluster: ControlPlane;
  /** Its node. */
  readonly node: RealNode;
  /** A namespace of this suite alone; it is deleted afterwards. */
  readonly namespace: string;
}

export interface NodeSuiteOptions {
  /** Runs only where all tests are asked for (`npm run test:node -- --all`). @default false */
  readonly long?: boolean;
}

/** What lets suites run that are left out of a usual run. */
export const ALL_NODE_TESTS = 'AGENT_SANDBOX_NODE_TESTS_ALL';

/** Why no real node can be started here, undefined if it can. */
export function reasonForNoNode(): string | undefined {
  const missing = missingForNode();
  if (missing) {
    return missing;
  }
  const found = findPrograms(NODE_PROGRAMS);
  return found.kind === 'nothing' ? found.reason : undefined;
}

/**
 * `describe` for tests that need pods which really run: kubelet, runc, gVisor, enforced policies. Where no node can be started,
 * the tests are reported as skipped and the reason is printed once.
 */
export function describeWithNode(name: string, suite: (testbed: NodeTestbed) => void, options: NodeSuiteOptions = {}): void {
  const left = options.long && process.env[ALL_NODE_TESTS] !== '1' ? 'long: "npm run test:node -- --all" runs it' : undefined;
  const reason = reasonForNoNode() ?? left;
  if (reason) {
    if (reason !== left) {
      reportSkipped(reason);
    }
    describe.skip(`${name} (${reason})`, () => suite(outsideOfNodeTests));
    return;
  }
  jest.setTimeout(NODE_TEST_TIMEOUT_MS);
  describe(name, () => {
    let current: NodeTestbed | undefined;
    beforeAll(async () => {
      const cluster = await ControlPlane.attach((await startShared('/node'))!);
      const namespace = await cluster.createNamespace(basename(expect.getState().testPath ?? 'test').replace(/\.test\.\w+$/, ''));
      current = { cluster, node: cluster.nodes[0], namespace };
    }, START_TIMEOUT_MS);
    afterAll(async () => {
      await current?.cluster.deleteNamespace(current.namespace);
      await current?.cluster.close();
    });
    suite({
      get cluster() { return (current ?? outsideOfNodeTests).cluster; },
      get node() { return (current ?? outsideOfNodeTests).node; },
      get namespace() { return (current ?? outsideOfNodeTests).namespace; },
    });
  });
}

const outsideOfNodeTests: NodeTestbed = {
  get cluster(): ControlPlane { return tooEarly('cluster'); },
  get node(): RealNode { return tooEarly('node'); },
  get namespace(): string { return tooEarly('namespace'); },
};

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

/** Address and headers of the main process of this run, undefined without the global setup of the testbed in jest's configuration. */
function run(): { origin: string; headers: Record<string, string> } | undefined {
  const [origin, token] = (process.env.AGENT_SANDBOX_TESTBED_RUN ?? '').split(' ');
  return token ? { origin, headers: { authorization: `Bearer ${token}` } } : undefined;
}

/** Has the main process start what suites share. Returns the folder of the control plane, undefined if a cluster is provided. */
async function startShared(path: '/control-plane' | '/node'): Promise<string | undefined> {
  const main = run();
  if (!main) {
    throw new Error('no control plane for this run: set globalSetup and globalTeardown to testbed/src/jest/setup.mjs and teardown.mjs in the jest configuration');
  }
  const { body } = await request(`${main.origin}${path}`, { headers: main.headers, headersTimeout: START_TIMEOUT_MS });
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
