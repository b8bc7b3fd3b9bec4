import { execFileSync, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import type { Described } from '../../scripts/release/manifest';

export const ROOT = path.join(__dirname, '..', '..');
export const APPS = path.join(__dirname, 'apps');

/** The folder of a release, which `npm run test:languages` makes; the tests install from it as users do from the registries. */
const FOLDER = process.env.AGENT_SANDBOX_TEST_RELEASE;

export interface Release {
  readonly folder: string;
  readonly version: string;
  readonly files: readonly Described[];
}

/** The release to test. */
export function release(): Release {
  return { folder: FOLDER!, ...JSON.parse(fs.readFileSync(path.join(FOLDER!, 'manifest.json'), 'utf8')) };
}

/** The only file of a release whose path matches, as a path. */
export function artifact({ folder, files }: Release, pattern: RegExp): string {
  const [found, ...more] = files.filter(({ file }) => pattern.test(file));
  if (!found || more.length > 0) {
    throw new Error(`expected one file like ${pattern} in the release, found ${[found, ...more].filter(Boolean).map(({ file }) => file).join(', ') || 'none'}`);
  }
  return path.join(folder, found.file);
}

/** A suite that needs a release and programs; without them it is skipped, and its name says what is missing. */
export function describeRelease(name: string, programs: readonly string[], suite: () => void): void {
  const missing = [...(FOLDER ? [] : ['a release (npm run test:languages)']), ...(FOLDER && !process.env.AGENT_SANDBOX_TEST_RELEASE_ALL ? programs.filter(program => !isInstalled(program)) : [])];
  if (missing.length === 0) {
    describe(name, suite);
    return;
  }
  describe.skip(`${name} (needs ${missing.join(', ')})`, () => {
    skipped = true;
    suite();
    skipped = false;
  });
}

/** Whether the suite that is being defined will not run: its hooks do not, either. */
let skipped = false;

function isInstalled(program: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;
}

/** An empty folder, removed at the end. */
export function emptyFolder(): string {
  if (skipped) {
    return os.tmpdir();
  }
  const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'release-test-')));
  afterAll(() => {
    // Modules of Go are read-only.
    execFileSync('chmod', ['-R', 'u+w', folder]);
    fs.rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a program as a user does: with their home and registries, and nothing of this process. The variable keeps jsii's runtimes from
 * printing a banner where Node.js is older than they like, as the guide says.
 */
export function start(cwd: string, program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Ended {
  const { PATH, HOME, LANG, GOPROXY, GOFLAGS, GOSUMDB, GONOSUMDB, HTTPS_PROXY, HTTP_PROXY, NO_PROXY, PIP_INDEX_URL, SSL_CERT_FILE } = process.env;
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    cwd, encoding: 'utf8', maxBuffer: 1 << 28,
    env: {
      PATH, HOME, LANG, GOPROXY, GOFLAGS, GOSUMDB, GONOSUMDB, HTTPS_PROXY, HTTP_PROXY, NO_PROXY, PIP_INDEX_URL, SSL_CERT_FILE,
      JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION: '20', ...env,
    } as unknown as NodeJS.ProcessEnv,
  });
  if (error) {
    throw error;
  }
  return { status, stdout, stderr };
}

/** Runs a program that has to succeed, and returns what it printed. */
export function run(cwd: string, program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): string {
  const { status, stdout, stderr } = start(cwd, program, args, env);
  if (status !== 0) {
    throw new Error(`${program} ${args.join(' ')} ended with ${status}:\n${(stdout + stderr).slice(-6000)}`);
  }
  return stdout;
}

/** The manifests that an app of a folder has written to `dist`, by name. */
export function written(folder: string): Record<string, string> {
  const dist = path.join(folder, 'dist');
  return Object.fromEntries(fs.readdirSync(dist).sort().map(name => [name, fs.readFileSync(path.join(dist, name), 'utf8')]));
}

/** What TypeScript writes for the cookbook: committed, and compared by `test/examples.test.ts`. */
export function cookbookManifests(): Record<string, string> {
  const folder = path.join(ROOT, 'examples', 'network-cookbook', 'manifests');
  return Object.fromEntries(fs.readdirSync(folder).sort().map(name => [name, fs.readFileSync(path.join(folder, name), 'utf8')]));
}

/** What the library says about a template with two mistakes, in any language. */
export const TWO_PROBLEMS = `2 problems:
  agents/python: containers[0].memory is '512 MB': there is no such unit: write '512Mi' (units: n u m k M G T P E, Ki Mi Gi Ti Pi Ei)
  agents/python: containers[0].securityContext.runAsUser is 0: name it: relaxations: [Relaxation.RUN_AS_ROOT]`;
