import { readFileSync } from 'node:fs';
import { JsonFile, TextFile, cdk } from 'projen';
import { GithubWorkflow } from 'projen/lib/github';
import { JobPermission } from 'projen/lib/github/workflows-model';
import { NodePackageManager } from 'projen/lib/javascript';
import { TypeScriptRunner } from 'projen/lib/typescript';
import { IMPORT_RULES, UNUSED_RULES } from './projenrc/import-rules';
import { ACTIONS, addReleaseWorkflow } from './projenrc/release-workflow';
import { SOURCE_CONDITION, Workspace } from './projenrc/workspace';
import { ROWS } from './scripts/matrix/rows';

const NODE_FLOOR = '20.19.0';
/** The command of the library, compiled. */
const COMMAND = 'lib/src/cli/main.js';
/**
 * Names of the library in other languages, as their ecosystems spell them. They are not projen's `publishTo…`, which add tasks that need the
 * toolchain of every language: `npm run release` makes these packages, and the workflow `release` publishes them.
 */
const LANGUAGES = {
  python: { distName: 'cdk8s-agent-sandbox', module: 'cdk8s_agent_sandbox' },
  // Maven Central gives the namespace io.github.NAME to the account of that name.
  java: { package: 'io.github.cdk8sagentsandbox', maven: { groupId: 'io.github.cdk8s-agent-sandbox', artifactId: 'cdk8s-agent-sandbox' } },
  // A folder of the tagged commits of the same repository: jsii appends the name of the package.
  go: { moduleName: 'github.com/cdk8s-agent-sandbox/cdk8s-agent-sandbox', packageName: 'agentsandbox' },
  dotnet: { namespace: 'Cdk8sAgentSandbox', packageId: 'Cdk8sAgentSandbox' },
};
/** Of all packages, the chart and the images; `npm run release` sets it. */
const VERSION = readFileSync('VERSION', 'utf8').trim();

const project = new cdk.JsiiProject({
  name: 'cdk8s-agent-sandbox',
  description: 'Agent Sandbox for Kubernetes in TypeScript: typed cdk8s constructs with safe defaults for Sandbox, SandboxTemplate, SandboxClaim and SandboxWarmPool',
  keywords: ['cdk8s', 'kubernetes', 'agent-sandbox', 'sandbox', 'gvisor', 'kata-containers', 'networkpolicy', 'ai-agents'],
  author: 'The cdk8s-agent-sandbox authors',
  authorAddress: 'https://github.com/cdk8s-agent-sandbox',
  authorOrganization: true,
  repositoryUrl: 'https://github.com/cdk8s-agent-sandbox/cdk8s-agent-sandbox.git',
  license: 'Apache-2.0',
  copyrightOwner: 'The cdk8s-agent-sandbox authors',
  defaultReleaseBranch: 'main',
  packageManager: NodePackageManager.NPM,
  minNodeVersion: NODE_FLOOR,
  stability: 'experimental',

  // the library
  jsiiVersion: '~6.0.0',
  typescriptVersion: '~6.0.0',
  entrypoint: 'lib/src/index.js',
  excludeTypescript: [],
  tsconfig: {
    include: ['src/**/*.ts', 'imports/**/*.ts'],
    exclude: ['node_modules', 'lib', 'packages', 'testbed', 'examples'],
    // without source maps, which would be two thirds of the package
    compilerOptions: { rootDir: '.', outDir: 'lib', declarationMap: false, inlineSourceMap: false, inlineSources: false } as any,
  },
  // for agent-sandbox-check; jsii libraries carry what they depend on
  bundledDeps: ['yaml@^2.8.0'],
  bin: { 'agent-sandbox-check': COMMAND },
  // constructs before 10.5: cdk8s-plus-28 for Go, which apps may have as well, does not compile with later ones, and Go takes the oldest that all packages allow.
  peerDeps: ['cdk8s@^2.68.12', 'constructs@^10.4.5'],
  // Development happens on the oldest peers (projen pins them); the newest are what users install.
  devDeps: [
    // The oldest of the supported cdk8s-plus, what `cdk8s init` installs, and the newest.
    'cdk8s-plus-28@2.5.6', 'cdk8s-plus-33@^2.5.57', 'cdk8s-plus-34@^2.0.54',
    '@types/node@^20', '@types/jest@^30', '@swc/core@1.16.18', '@swc/jest@^0.2', 'jest@^30', 'vitest@^4', 'ajv@^8', 'fast-check@^4', 'tsx@^4',
    'esbuild@^0.28', '@cyclonedx/cyclonedx-library@^10', 'dockerfile-ast@^0.7', 'tar-stream@^3', '@types/tar-stream@^3', 'fengari@^0.1', '@marcbachmann/cel-js@^8', 'dependency-cruiser@^17', 'knip@^5', 'eslint@^9', '@eslint/js@^9', 'globals@^14', 'typescript-eslint@^8', '@stylistic/eslint-plugin@^5', 'jsii-docgen@^10', 'vitepress@^1.6',
  ],
  docgen: false,
  projenrcTs: true,
  runner: TypeScriptRunner.tsx(),

  // jest and eslint span all packages, so they are configured below and not by projen's per-package components
  jest: false,
  eslint: false,
  tsconfigDevFile: 'tsconfig.dev.json',
  tsconfigDev: {
    include: ['**/*.ts', '.projenrc.ts'],
    exclude: ['node_modules', '**/node_modules', 'lib', '**/lib', '**/dist', 'bench/work'],
    compilerOptions: {
      rootDir: '.',
      // CommonJS tests of the constructs import the testbed, which is an ES module
      module: 'node20',
      moduleResolution: 'node16',
      noEmit: true,
      allowImportingTsExtensions: false,
      isolatedModules: false,
      // Examples import the library by its name, as its users do.
      paths: {
        'cdk8s-agent-sandbox': ['./src/index.ts'],
        'cdk8s-agent-sandbox/matchers.js': ['./src/testing/matchers.ts'],
      },
      types: ['node', 'jest'],
      customConditions: [SOURCE_CONDITION],
    } as any,
  },
  npmignoreEnabled: false,
  package: true,
  sampleCode: false,

  // one workflow, below, that runs what a developer runs
  github: true,
  buildWorkflow: false,
  release: false,
  depsUpgrade: false,
  pullRequestTemplate: false,
  githubOptions: { mergify: false, pullRequestLint: false },
  gitignore: ['__pycache__/', '/lib/', '.npmignore', '*.tsbuildinfo', '.swc/', '/bench/work/', '/quickstart-output/', '/install/', 'junit.xml'],
});

// JsiiBuild sets these from `libdir`; our sources live in two folders (`src` and `imports`) under one root.
project.addFields({
  version: VERSION,
  types: 'lib/src/index.d.ts',
  files: ['lib', 'matchers.js', 'matchers.d.ts', 'chart', 'install', '.jsii', '!lib/**/*.tsbuildinfo'],
  workspaces: ['packages/*', 'testbed'],
  overrides: {
    // A release of which the packages for every platform are published, so that the lock file serves all of them.
    'unrs-resolver': '1.12.1',
    // The last release that needs no later Node than we promise; fastify uses it for its injected requests only.
    'light-my-request': '6.6.0',
    // The last release line of which every dependency is published, so that "npm ci" works; Vitest would take 8.
    'vitest': { vite: '7.3.8' },
  },
});

project.tryFindObjectFile('package.json')!.addOverride('jsii.targets', LANGUAGES);

const api = new Workspace(project, {
  name: 'agent-sandbox-api',
  version: VERSION,
  dir: 'packages/api',
  description: 'Wire types, vocabulary and name hash of the Agent Sandbox API; no dependencies',
});

const program = new Workspace(project, {
  name: 'agent-sandbox-program',
  version: VERSION,
  dir: 'packages/program',
  description: 'What the programs share: flags, listening, probes, build information, signals, exit codes',
  dependencies: {
    'commander': '^14.0.0',
    'prom-client': '^15.1.0',
  },
});

const kube = new Workspace(project, {
  name: 'agent-sandbox-kube',
  version: VERSION,
  dir: 'packages/kube',
  description: 'Fast typed access to the Kubernetes API server: informers, work queue, leader election, events, patches',
  dependencies: {
    '@kubernetes/client-node': '^1.4.0',
    'agent-sandbox-api': '*',
    'js-yaml': '^4.1.0',
    'undici': '^7.16.0',
  },
  devDependencies: { '@types/js-yaml': '^4.0.1' },
});

const controller = new Workspace(project, {
  name: 'agent-sandbox-controller',
  version: VERSION,
  dir: 'packages/controller',
  description: 'The reconcilers of Sandbox, SandboxTemplate, SandboxClaim and SandboxWarmPool',
  bin: { 'agent-sandbox-controller': './lib/main.js' },
  dependencies: {
    'agent-sandbox-api': '*',
    'agent-sandbox-kube': '*',
    'agent-sandbox-program': '*',
    'commander': '^14.0.0',
    'pino': '^9.0.0',
    'prom-client': '^15.1.0',
    '@opentelemetry/api': '^1.9.0',
    '@opentelemetry/core': '^2.0.0',
    '@opentelemetry/exporter-trace-otlp-grpc': '>=0.200.0 <1',
    '@opentelemetry/resources': '^2.0.0',
    '@opentelemetry/sdk-trace-node': '^2.0.0',
  },
  devDependencies: { '@grpc/grpc-js': '^1.14.0' },
});

const router = new Workspace(project, {
  name: 'agent-sandbox-router',
  version: VERSION,
  dir: 'packages/router',
  description: 'The reverse proxy in front of sandboxes: closed by default, streaming, resolves targets from the API',
  dependencies: {
    'agent-sandbox-api': '*',
    'agent-sandbox-kube': '*',
    'agent-sandbox-program': '*',
    '@opentelemetry/api': '^1.9.0',
    '@opentelemetry/exporter-trace-otlp-grpc': '>=0.200.0 <1',
    '@opentelemetry/resources': '^2.0.0',
    '@opentelemetry/sdk-trace-node': '^2.0.0',
    'ajv': '^8.17.0',
    'commander': '^14.0.0',
    'jose': '^6.0.0',
    'lru-cache': '^11.2.0',
    'openid-client': '^6.8.0',
    'pino': '^9.0.0',
    'prom-client': '^15.1.0',
    'undici': '^7.16.0',
    'yaml': '^2.8.0',
  },
  devDependencies: {
    'ws': '^8.18.0', '@types/ws': '^8', 'autocannon': '^8.0.0', 'oidc-provider': '^9.0.0', '@types/oidc-provider': '^9',
    '@seriousme/openapi-schema-validator': '^2.4.0', '@grpc/grpc-js': '^1.14.0', '@grpc/proto-loader': '^0.8.0', 'playwright-core': '^1.56.0',
  },
  bin: { 'agent-sandbox-router': './lib/main.js' },
});

const runtime = new Workspace(project, {
  name: 'agent-sandbox-runtime',
  version: VERSION,
  dir: 'packages/runtime',
  description: 'The server inside a sandbox: commands, files, and computer use',
  dependencies: {
    'agent-sandbox-api': '*',
    '@bufbuild/protobuf': '^2.10.0',
    '@connectrpc/connect': '^2.1.0',
    '@connectrpc/connect-node': '^2.1.0',
    '@fastify/busboy': '^3.1.0',
    '@fastify/websocket': '^11.0.0',
    '@google/genai': '^2.0.0',
    'agent-sandbox-program': '*',
    'commander': '^14.0.0',
    'fastify': '^5.6.0',
    'pino': '^9.0.0',
    'playwright-core': '^1.56.0',
    'prom-client': '^15.1.0',
    'tar-stream': '^3.1.0',
    'zod': '^4.0.0',
  },
  optionalDependencies: { '@lydell/node-pty': '^1.1.0' },
  devDependencies: { '@bufbuild/buf': '^1.60.0', '@bufbuild/protoc-gen-es': '^2.10.0', '@types/tar-stream': '^3', 'ajv': '^8.17.0', 'ws': '^8.18.0', '@types/ws': '^8' },
  bin: { 'agent-sandbox-runtime': './lib/main.js' },
});

const client = new Workspace(project, {
  name: 'agent-sandbox-client',
  version: VERSION,
  dir: 'packages/client',
  description: 'The SDK and command line for programs and people that use sandboxes',
  dependencies: {
    'agent-sandbox-api': '*',
    'agent-sandbox-kube': '*',
    '@modelcontextprotocol/sdk': '^1.20.0',
    'commander': '^14.0.0',
    'listr2': '^9.0.0',
    'tar-stream': '^3.1.0',
    'undici': '^7.16.0',
    'ws': '^8.18.0',
    'zod': '^4.0.0',
  },
  devDependencies: { '@types/ws': '^8', '@types/tar-stream': '^3', 'playwright-core': '^1.56.0' },
  // The first is the name of the program, the second is what `npx agent-sandbox-client` runs.
  bin: { 'agent-sandbox': './lib/main.js', 'agent-sandbox-client': './lib/main.js' },
  entries: { './compat': 'compat/index' },
});

const testbed = new Workspace(project, {
  name: 'agent-sandbox-testbed',
  version: VERSION,
  dir: 'testbed',
  description: 'A real Kubernetes control plane for tests, without Docker',
  dependencies: {
    '@jest/globals': '^30.0.0',
    '@peculiar/x509': '^2.2.0',
    'commander': '^14.0.0',
    'listr2': '^9.0.0',
    'reflect-metadata': '^0.2.2',
    'undici': '^7.16.0',
    'yaml': '^2.8.0',
  },
});

const workspaces = [api, program, kube, controller, router, runtime, client, testbed];

// ---------------------------------------------------------------- tests
const swc = (module: 'commonjs' | 'es6') => ['@swc/jest', {
  jsc: { parser: { syntax: 'typescript', decorators: false }, target: 'es2022' },
  module: { type: module },
  sourceMaps: 'inline',
}];
const CONSTRUCTS = {
  testMatch: ['**/*.test.ts'],
  transform: { '\\.ts$': swc('commonjs') },
  moduleNameMapper: {
    '^cdk8s-agent-sandbox$': '<rootDir>/src/index.ts', '^cdk8s-agent-sandbox/matchers\\.js$': '<rootDir>/src/testing/matchers.ts', '^(\\.{1,2}/.*)\\.js$': '$1',
  },
};
// Pods that really run take the machine for themselves: these tests run alone, after the others.
const NODE_TESTS = 'node';
new JsonFile(project, 'jest.config.json', {
  marker: false,
  obj: {
    globalSetup: '<rootDir>/testbed/src/jest/setup.mjs',
    globalTeardown: '<rootDir>/testbed/src/jest/teardown.mjs',
    reporters: ['default', '<rootDir>/scripts/jest-summary.cjs'],
    // Against what hangs; a busy machine is slow, and no test is about speed.
    testTimeout: 60_000,
    projects: [
      {
        displayName: 'constructs',
        testEnvironment: 'node',
        roots: ['<rootDir>/test', '<rootDir>/api'],
        testPathIgnorePatterns: ['/node_modules/', '<rootDir>/test/node/'],
        ...CONSTRUCTS,
      },
      { displayName: NODE_TESTS, testEnvironment: 'node', roots: ['<rootDir>/test/node'], ...CONSTRUCTS },
      ...workspaces.map(workspace => workspace.jestProject(swc('es6'))),
    ],
  },
});
project.tasks.addEnvironment('JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION', '20');
// A suite that leaves a connection open must not hang the run: jest names it, and ends.
const JEST = 'jest --ci --forceExit';
// ES modules under jest need a flag of Node's.
const JEST_ENV = { NODE_OPTIONS: '--experimental-vm-modules --disable-warning=ExperimentalWarning' };
// First, because it takes all words up to the next option.
project.testTask.exec(JEST.replace('jest', `jest --ignoreProjects ${NODE_TESTS}`), { receiveArgs: true, env: JEST_ENV });

// ---------------------------------------------------------------- lint
new TextFile(project, 'eslint.config.mjs', {
  lines: `// Generated by projen. To modify, edit .projenrc.ts and run "npx projen".
import js from '@eslint/js';
import stylistic from '@stylistic/eslint-plugin';
import globals from 'globals';
import tseslint from 'typescript-eslint';
import { plugin as house } from './projenrc/prose.cjs';

/** How code looks and what it avoids, in every language of ours. */
const HOUSE = {
  '@stylistic/indent': ['error', 2, { SwitchCase: 1 }],
  '@stylistic/quotes': ['error', 'single', { avoidEscape: true, allowTemplateLiterals: 'avoidEscape' }],
  '@stylistic/semi': ['error', 'always'],
  '@stylistic/comma-dangle': ['error', 'always-multiline'],
  '@stylistic/max-len': ['error', { code: 150, ignoreUrls: true, ignoreStrings: true, ignoreTemplateLiterals: true, ignoreRegExpLiterals: true, ignoreComments: true }],
  '@stylistic/no-trailing-spaces': 'error',
  '@stylistic/object-curly-spacing': ['error', 'always'],
  '@stylistic/arrow-parens': ['error', 'as-needed'],
  eqeqeq: ['error', 'always', { null: 'ignore' }],
  'house/prose': 'error',
  'no-console': 'off',
  'no-duplicate-imports': 'error',
  // One way to leave out what is undefined. Plain \`{ x }\` does where the object becomes JSON anyway.
  'no-restricted-syntax': ['error', ...[
    'SpreadElement > ConditionalExpression[test.right.type="Identifier"][test.right.name="undefined"] > ObjectExpression.consequent[properties.length=0]',
    'SpreadElement > ConditionalExpression[test.right.type="Identifier"][test.right.name="undefined"] > ObjectExpression.alternate[properties.length=0]',
    'SpreadElement > LogicalExpression[operator="&&"][left.right.type="Identifier"][left.right.name="undefined"][right.type="ObjectExpression"]',
  ].map(selector => ({ selector, message: 'Write ...definedOnly({ x }), or x alone if the object becomes JSON.' }))],
};

export default tseslint.config(
  { ignores: ['**/node_modules/', '**/lib/', '**/dist/', 'imports/', '**/*.gen.ts', '**/*.d.ts', 'bench/work/', 'quickstart-output/'] },
  { plugins: { '@stylistic': stylistic, house } },
  {
    files: ['**/*.js', '**/*.mjs', '**/*.cjs'],
    extends: [js.configs.recommended],
    languageOptions: { globals: globals.node },
    rules: HOUSE,
  },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommended],
    languageOptions: { parserOptions: { project: './tsconfig.dev.json', tsconfigRootDir: import.meta.dirname } },
    rules: {
      ...HOUSE,
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-explicit-any': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      // One import of a module: \`import type\` if all of it are types, else \`type\` before each of them.
      '@typescript-eslint/consistent-type-imports': ['error', { prefer: 'type-imports', fixStyle: 'inline-type-imports', disallowTypeAnnotations: false }],
      '@typescript-eslint/no-import-type-side-effects': 'error',
    },
  },
  // A table reads better with one case to a line, however long.
  { files: ['**/test/**/*.ts'], rules: { '@stylistic/max-len': 'off' } },
);
`.split('\n'),
});
const lint = project.addTask('lint', { description: 'Type-check and lint every package' });
lint.exec('tsc --noEmit -p tsconfig.dev.json');
lint.exec('eslint . --max-warnings 0', { receiveArgs: true });
lint.exec('depcruise --config .dependency-cruiser.json --output-type err src imports api packages testbed scripts examples test bench projenrc .projenrc.ts');
lint.exec('knip --no-progress --no-config-hints');
new JsonFile(project, '.dependency-cruiser.json', { marker: false, obj: IMPORT_RULES });
new JsonFile(project, 'knip.json', { marker: false, obj: UNUSED_RULES });

// ---------------------------------------------------------------- build
const generate = project.addTask('generate', {
  description: 'Write the CRDs, imports/ and packages/api from api/',
  exec: 'tsx api/generate.ts',
  receiveArgs: true,
});
project.preCompileTask.spawn(generate);
const skill = project.addTask('skill', {
  description: 'Write the skill for coding agents and llms.txt from the definitions and documents',
  exec: `tsx --conditions=${SOURCE_CONDITION} scripts/skill.ts`,
  receiveArgs: true,
});
project.preCompileTask.spawn(skill);
// Some names of Kubernetes are reserved words of other languages, where jsii appends an underscore.
project.compileTask.reset('jsii --fail-on-warnings --silence-warnings=reserved-word --silence-warnings=member-name-conflicts-with-type-name');
// npm makes commands executable when it installs a package; jsii, which unpacks it for other languages, does not.
project.compileTask.exec(`node -e "fs.chmodSync('${COMMAND}', 0o755)"`);
const docs = project.addTask('docs', { description: 'Write API.md and docs/L1.md, and compile every snippet of the documents' });
docs.exec('jsii-docgen -o API.md -s root');
docs.exec('jsii-docgen -o docs/L1.md -s cdk8s-agent-sandbox.l1');
docs.exec('tsx scripts/reference.ts');
docs.exec('tsx scripts/rules.ts');
docs.exec('tsx scripts/check-snippets.ts');
project.postCompileTask.spawn(docs);
project.addTask('chart', { description: 'Write the Helm chart and the manifests for kubectl from src/install', exec: 'tsx scripts/helm-chart.ts' });
project.addTask('proto', {
  description: "Write the runtime's messages of gRPC from its .proto files",
  steps: [{ exec: 'buf generate', cwd: 'packages/runtime/proto' }],
});
project.addTask('images', { description: 'Write the images of the programs as OCI archives, without an engine', exec: 'tsx scripts/images.ts', receiveArgs: true });
project.addTask('site', { description: 'Build the site of the documents in dist/site', exec: 'tsx scripts/site.ts', receiveArgs: true });
project.setScript('release', 'tsx scripts/release.ts');
project.packageTask.prependExec('tsx scripts/helm-chart.ts');
project.packageTask.exec('cp install/agent-sandbox.yaml dist/install.yaml');
project.addTask('api:kubernetes', { description: 'Reduce the OpenAPI documents of a Kubernetes release to what api/ needs (needs Go)', exec: 'tsx api/kubernetes/reduce.ts' });

// ---------------------------------------------------------------- commands of the README
// Those that take commands, or end with Ctrl-C, are no tasks: projen's lose quotes, and end before what they have started.
project.setScript('agent-sandbox', `AGENT_SANDBOX_SOURCES=1 node --conditions=${SOURCE_CONDITION} --import tsx packages/client/src/main.ts`);
project.setScript('quickstart', `node --conditions=${SOURCE_CONDITION} --import tsx scripts/quickstart.ts`);
project.addTask('examples', { description: 'Write the manifests of all examples', exec: 'tsx scripts/synth-examples.ts', receiveArgs: true });
project.addTask('bench:synth', { description: 'Compare type-check and synthesis with the stock import and cdk8s-plus', exec: 'tsx bench/synth/main.ts', receiveArgs: true });
project.addTask('bench:client', { description: 'Measure the way from a claim to the first output, in steps', exec: `tsx --conditions=${SOURCE_CONDITION} bench/client/main.ts`, receiveArgs: true });
project.setScript('bench:controller', 'tsx --conditions=agent-sandbox-source bench/controller/main.ts');
project.setScript('bench:check', 'tsx bench/check/main.ts');
project.setScript('scoreboard', 'tsx scripts/scoreboard.ts');
project.setScript('bench:node', `tsx --conditions=${SOURCE_CONDITION} bench/node/main.ts`);
project.addTask('test:browsers', {
  description: 'Install the programs that people use in browsers, and open them through the router in Chromium',
  steps: [
    { exec: `tsx --conditions=${SOURCE_CONDITION} packages/router/test/programs/install.ts` },
    { exec: JEST.replace('jest', `jest packages/router/test/browser-programs.test.ts --ignoreProjects ${NODE_TESTS}`), receiveArgs: true, env: JEST_ENV },
  ],
});
project.addTask('bench:router', { description: 'Compare the router with a direct connection and with the least possible proxy', exec: `tsx --conditions=${SOURCE_CONDITION} bench/router/main.ts`, receiveArgs: true });
project.addTask('bundle', { description: 'Bundle controller, router and runtime into one file each, in dist/bundle', exec: 'tsx scripts/bundle.ts', receiveArgs: true });
project.addTask('testbed', { description: 'Build, start and stop a real control plane', exec: 'tsx testbed/src/cli.ts', receiveArgs: true });

project.setScript('test:languages', 'tsx scripts/language-tests.ts');
project.addTask('translations', {
  description: 'Translate programs of the documents into Python, Java and Go (needs the compiled library, and gofmt)',
  exec: 'tsx scripts/translated.ts',
  receiveArgs: true,
});

project.addTask('test:node', {
  description: 'Run the tests on a real node, with all that it needs built; --all runs the long ones, too',
  exec: 'tsx scripts/node-tests.ts',
  receiveArgs: true,
});

// A script: it ends with Ctrl-C, and takes rows.
project.setScript('test:matrix', 'tsx scripts/test-matrix.ts');

const testAll = project.addTask('test:all', { description: 'Build the control plane if it is missing, then the library, then run every check and test' });
testAll.exec('tsx testbed/src/cli.ts build --if-missing');
testAll.spawn(project.preCompileTask);
testAll.spawn(project.compileTask);
testAll.spawn(project.postCompileTask);
testAll.exec('tsx scripts/committed.ts');
testAll.spawn(lint);
testAll.exec('tsx scripts/all-tests.ts');

// ---------------------------------------------------------------- continuous integration
const workflow = new GithubWorkflow(project.github!, 'build');
workflow.on({ push: { branches: ['main'] }, pullRequest: {} });
workflow.addJob('build', {
  runsOn: ['ubuntu-latest'],
  permissions: { contents: JobPermission.READ },
  steps: [
    { uses: ACTIONS.checkout },
    { uses: ACTIONS.setupNode, with: { 'node-version': '20' } },
    { uses: ACTIONS.setupGo, with: { 'go-version': '1.26' } },
    { run: 'bash .ci/run' },
  ],
});

const matrix = new GithubWorkflow(project.github!, 'matrix');
matrix.on({ schedule: [{ cron: '17 3 * * 1' }], workflowDispatch: {} });
matrix.addJob('test', {
  runsOn: ['ubuntu-latest'],
  permissions: { contents: JobPermission.READ },
  strategy: { failFast: false, matrix: { domain: { row: ROWS.map(({ name }) => name) } } },
  steps: [
    { uses: ACTIONS.checkout },
    { uses: ACTIONS.setupNode, with: { 'node-version': '20' } },
    { uses: ACTIONS.setupGo, with: { 'go-version': '1.26' } },
    { run: 'npm ci --no-audit --no-fund' },
    { run: 'npm run testbed -- build --if-missing' },
    { run: 'npx projen compile' },
    { run: 'npm run test:matrix -- ${{ matrix.row }}' },
  ],
});

addReleaseWorkflow(project.github!);

new TextFile(project, '.nvmrc', { lines: ['20', ''] });

project.synth();
