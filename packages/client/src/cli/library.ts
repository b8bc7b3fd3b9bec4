import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { KubeObject } from 'agent-sandbox-api';
import { SandboxInputError } from '../errors.js';

/** An object and where it was found. */
export interface Located {
  readonly manifest: KubeObject;
  readonly place: string;
}

/** What the constructs' package does with a command line; see `src/cli/main.ts` there. */
export interface AnalysisLibrary {
  main(args: readonly string[], surroundings?: { readonly objects?: readonly Located[] }): { readonly output: string; readonly code: number };
}

const LIBRARY = 'cdk8s-agent-sandbox';
const PROGRAM = 'lib/src/cli/main.js';

/**
 * The package of the constructs, which knows the rules: that of the project in the working directory, so that rules and constructs have one version, else
 * the one that is installed beside this program. Throws `SandboxInputError` if there is neither.
 */
export async function loadLibrary(folder: string): Promise<AnalysisLibrary> {
  const file = installed(join(folder, 'package.json')) ?? checkout(folder) ?? installed(import.meta.url);
  if (file === undefined) {
    throw new SandboxInputError(`this command needs the package ${LIBRARY}, which is not installed here`, { remedy: `npm install --save-dev ${LIBRARY} cdk8s constructs` });
  }
  const module = await import(pathToFileURL(file).href) as { readonly default?: Partial<AnalysisLibrary> } & Partial<AnalysisLibrary>;
  const main = module.main ?? module.default?.main;
  if (main === undefined) {
    throw new SandboxInputError(`${file} is of a version without this command`, { remedy: `npm install --save-dev ${LIBRARY}@latest` });
  }
  return { main };
}

function installed(from: string): string | undefined {
  try {
    return createRequire(from).resolve(`${LIBRARY}/${PROGRAM}`);
  } catch {
    return undefined;
  }
}

/** The repository of the package itself: compiled, or as sources where something transpiles them. */
function checkout(folder: string): string | undefined {
  for (let at = folder; ; at = dirname(at)) {
    const manifest = join(at, 'package.json');
    if (existsSync(manifest) && (JSON.parse(readFileSync(manifest, 'utf8')) as { readonly name?: string }).name === LIBRARY) {
      return [join(at, 'src', 'cli', 'main.ts'), join(at, PROGRAM)].find(file => existsSync(file) && (file.endsWith('.js') || process.env.AGENT_SANDBOX_SOURCES === '1'));
    }
    if (dirname(at) === at) {
      return undefined;
    }
  }
}
