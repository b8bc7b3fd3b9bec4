/** A rule of dependency-cruiser: imports that are not allowed. */
interface Rule {
  readonly name: string;
  readonly comment: string;
  readonly severity: 'error';
  readonly from: { readonly path?: string; readonly pathNot?: string };
  readonly to: { readonly path?: string; readonly pathNot?: string; readonly circular?: boolean };
}

const forbid = (name: string, comment: string, from: Rule['from'], to: Rule['to']): Rule => ({ name, comment, severity: 'error', from, to });

/** Packages of the workspace, and those that each may import. */
const PACKAGES: { readonly [name: string]: readonly string[] } = {
  api: [],
  program: [],
  kube: ['api'],
  controller: ['api', 'kube', 'program'],
  router: ['api', 'kube', 'program'],
  client: ['api', 'kube'],
  runtime: ['api', 'program'],
};

/** Which way imports go. Type imports count. docs/architecture.md gives the reasons. */
export const IMPORT_RULES = {
  forbidden: [
    forbid('no-cycle', 'Modules that import each other are one module in several files.', {}, { circular: true }),
    forbid('testbed-for-tests', 'Only tests, benchmarks and scripts run a control plane.',
      { path: '^(src|api|imports|packages/[^/]+/src)/' }, { path: '^testbed/' }),
    forbid('no-import-of-tests', 'What ships does not depend on tests, benchmarks or scripts.',
      { path: '^(src|imports|packages/[^/]+/src|testbed/src)/' }, { path: '(^|/)(test|bench|scripts|examples)/', pathNot: 'node_modules' }),
    forbid('constructs-stand-alone', 'The library of constructs imports its generated L1 types and nothing else of the tree.',
      { path: '^src/' }, { path: '^(api|packages|testbed|scripts|projenrc)/' }),
    forbid('l1-stands-alone', 'Generated L1 types import each other only.', { path: '^imports/' }, { path: '^(src|api|packages|testbed|scripts)/' }),
    ...Object.entries(PACKAGES).map(([name, allowed]) => forbid(`${name}-imports`, `packages/${name} may import ${allowed.join(', ') || 'no other package'}.`,
      { path: `^packages/${name}/src/` }, { path: '^(src|api|imports|packages/[^/]+)/', pathNot: `^packages/(${[name, ...allowed].join('|')})/src/` })),
    forbid('packages-by-name', 'A package is used by its name, not by the path of its files.',
      { path: '^packages/([^/]+)/src/' }, { path: '^packages/[^/]+/src/', pathNot: '^packages/($1/src/|[^/]+/src/index\\.ts$)' }),
    forbid('rooms-have-one-entry', 'A folder of src/ is used by its index.',
      { path: '^src/([^/]+)/' }, { path: '^src/[^/]+/', pathNot: '^src/($1/|generated/|[^/]+/index\\.ts$)' }),
    forbid('kinds-are-pure', "Only the controller of a kind knows the controller's shell.",
      { path: '^packages/controller/src/(blueprint|claim|object|pool|reconcile|sandbox|template)/', pathNot: '/controller\\.ts$' }, { path: '^packages/controller/src/shell/' }),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)(lib|dist)/|^bench/work/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.dev.json' },
    enhancedResolveOptions: { conditionNames: ['agent-sandbox-source', 'import', 'require', 'node', 'default', 'types'], exportsFields: ['exports'] },
  },
};

const TESTS = 'test/**/*.test.ts';

/** Settings of knip, which finds files and exports without a user. Dependencies are not its task here: tests use those of the root. */
export const UNUSED_RULES = {
  rules: { dependencies: 'off', unlisted: 'off', binaries: 'off', unresolved: 'off', enumMembers: 'off' },
  // A type that a signature in its own file needs is exported for the callers of that signature.
  ignoreExportsUsedInFile: { interface: true, type: true },
  workspaces: {
    '.': {
      entry: [
        'src/index.ts', 'src/testing/matchers.ts', 'matchers.js', 'api/generate.ts', 'api/kubernetes/reduce.ts', 'api/{defined-only,rights,semantics,vocabulary,flags/rules}.ts', 'api/generators/wire.template.ts', '.projenrc.ts',
        'scripts/*.{ts,cjs,mjs}', 'scripts/skill/sdk.ts', 'scripts/site/config.ts', 'scripts/helm/test-claim.mjs', 'scripts/release/{manifests,sbom}.ts', 'bench/**/main.ts', 'bench/check/worker.ts', 'bench/router/peers.ts', 'bench/synth/apps/*.ts', 'test/vitest/*.{ts,mts}', 'examples/**/main.ts', 'examples/policy-tests/*.test.ts', `{api,examples,bench,scripts}/${TESTS}`, TESTS,
      ],
      project: ['{src,api,scripts,bench,examples,test,projenrc}/**/*.{ts,mjs,cjs}', '!**/*.gen.ts', '!**/*.d.ts'],
    },
    'packages/*': {
      entry: ['src/{index,main}.ts', TESTS, 'test/programs/install.ts', 'bench/{main,ours,client-node}.ts'],
      project: ['{src,test,bench}/**/*.ts', '!src/proto/**', '!**/*.gen.ts'],
    },
    'testbed': {
      entry: ['src/{index,cli}.ts', 'src/jest/*.{ts,mjs}', '*.mjs', TESTS, 'test/fixtures/**'],
      project: ['src/**/*.{ts,mjs}', 'test/**/*.ts'],
    },
  },
};
