import { JsonFile, Project } from 'projen';

/** Condition under which workspace packages resolve to their sources: tests and scripts need no build. */
export const SOURCE_CONDITION = 'agent-sandbox-source';

export interface WorkspaceOptions {
  /** npm name. */
  readonly name: string;
  /** Folder below the repository root. */
  readonly dir: string;
  readonly description: string;
  /** Version of all packages. */
  readonly version: string;
  /** Runtime dependencies, `name: range`. */
  readonly dependencies?: Record<string, string>;
  /** Dependencies that only some features need, `name: range`. */
  readonly optionalDependencies?: Record<string, string>;
  readonly devDependencies?: Record<string, string>;
  /** Entries besides the main one, `name: path below src and lib without extension`. */
  readonly entries?: Record<string, string>;
  /** Commands that the package installs, `command: file`. */
  readonly bin?: Record<string, string>;
}

/**
 * A package of the npm workspace: an ES module for Node, installed, linted and tested by the root.
 *
 * This is not projen's `NodeProject`, which brings its own install task, lock file, workflows and lint set-up; a
 * workspace member must have none of them.
 */
export class Workspace extends Project {
  private readonly dir: string;

  constructor(root: Project, options: WorkspaceOptions) {
    super({ name: options.name, parent: root, outdir: options.dir, projenCommand: 'npx projen' });
    this.dir = options.dir;
    for (const file of ['.gitattributes', '.gitignore', '.projen/tasks.json']) {
      this.tryRemoveFile(file);
    }
    new JsonFile(this, 'package.json', {
      marker: false,
      obj: {
        name: options.name,
        version: options.version,
        private: true,
        description: options.description,
        license: 'Apache-2.0',
        type: 'module',
        // So that a bundle leaves out what a program does not use, and loads the rest when it is needed.
        sideEffects: false,
        exports: Object.fromEntries(Object.entries({ '.': 'index', ...options.entries }).map(([name, path]) => [
          name, { [SOURCE_CONDITION]: `./src/${path}.ts`, types: `./lib/${path}.d.ts`, default: `./lib/${path}.js` },
        ])),
        bin: options.bin,
        files: ['lib'],
        engines: { node: '>= 20.19.0' },
        scripts: { build: 'tsc --build tsconfig.json' },
        dependencies: options.dependencies,
        optionalDependencies: options.optionalDependencies,
        devDependencies: options.devDependencies,
      },
    });
    new JsonFile(this, 'tsconfig.json', {
      marker: false,
      obj: {
        compilerOptions: {
          target: 'ES2022',
          lib: ['ES2022', 'ESNext.Disposable'],
          module: 'node16',
          moduleResolution: 'node16',
          rootDir: 'src',
          outDir: 'lib',
          declaration: true,
          composite: true,
          strict: true,
          noUnusedLocals: true,
          noUnusedParameters: true,
          noImplicitReturns: true,
          noFallthroughCasesInSwitch: true,
          skipLibCheck: true,
          types: ['node'],
          customConditions: [SOURCE_CONDITION],
        },
        include: ['src/**/*.ts'],
      },
    });
  }

  /** The jest project of this package: its tests run as ES modules, because some dependencies are nothing else. */
  public jestProject(transform: unknown): Record<string, unknown> {
    return {
      displayName: this.name,
      testEnvironment: 'node',
      roots: [`<rootDir>/${this.dir}`],
      testMatch: ['**/test/**/*.test.ts'],
      testPathIgnorePatterns: ['/node_modules/', '/lib/'],
      extensionsToTreatAsEsm: ['.ts'],
      transform: { '\\.ts$': transform },
      moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
      testEnvironmentOptions: { customExportConditions: ['node', 'node-addons', SOURCE_CONDITION] },
    };
  }
}
