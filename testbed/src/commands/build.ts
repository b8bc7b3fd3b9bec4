import { statSync } from 'node:fs';
import { Listr, type ListrTask } from 'listr2';
import { buildProgram, goVersion, missingPrograms, programsOf, withBuildLock } from '../build.js';
import { cacheRoot, installedPath, isInstalled, programVersion } from '../cache.js';
import { prepareKubernetes } from '../kubernetes.js';
import type { Program, ProgramGroup } from '../programs.js';
import { megabytes, seconds } from './format.js';

export interface BuildCommandOptions {
  readonly groups: readonly ProgramGroup[];
  /** Says nothing and needs no Go if all programs are there. */
  readonly ifMissing: boolean;
  /** Another release of Kubernetes: `1.31`, `1.31.4` or `newest`. @default - the release of this repository */
  readonly kubernetes?: string;
}

/** Compiles the programs that are not in the cache yet, with the name and time of each step. */
export async function build({ groups, ifMissing, kubernetes }: BuildCommandOptions): Promise<void> {
  if (kubernetes !== undefined) {
    process.env.AGENT_SANDBOX_TESTBED_KUBERNETES = await prepareKubernetes(kubernetes);
    console.log(`for tests with these programs: export AGENT_SANDBOX_TESTBED_KUBERNETES=${process.env.AGENT_SANDBOX_TESTBED_KUBERNETES}`);
  }
  if (missingPrograms(groups).length === 0) {
    if (!ifMissing) {
      console.log(`all of ${programsOf(groups).map(program => program.name).join(', ')} is built (${cacheRoot()})`);
    }
    return;
  }
  const abort = new AbortController();
  process.once('SIGINT', () => abort.abort());
  console.log(`building with ${await goVersion()} into ${cacheRoot()}; the first time takes about 7 minutes on 2 free cores, plus downloads`);
  const started = performance.now();
  await withBuildLock(
    () => new Listr(programsOf(groups).map(program => step(program, abort.signal)), {
      concurrent: false,
      rendererOptions: { collapseSubtasks: false },
      fallbackRendererOptions: { logTitleChange: false },
    }).run(),
    owner => console.log(`waiting for the build of process ${owner}`),
  );
  console.log(`done in ${seconds(performance.now() - started)}`);
}

function step(program: Program, signal: AbortSignal): ListrTask {
  const title = `${program.name} ${programVersion(program)}`;
  return {
    title,
    // Another process may have built it while this one waited for the lock.
    skip: () => (isInstalled(program) ? 'built already' : false),
    task: async (_context, task) => {
      const started = performance.now();
      const clock = setInterval(() => task.title = `${title} (${seconds(performance.now() - started)})`, 1000);
      try {
        await buildProgram(program, { signal, onOutput: line => task.output = line });
      } finally {
        clearInterval(clock);
      }
      task.title = `${title}, ${megabytes(statSync(installedPath(program)).size)}, ${seconds(performance.now() - started)}`;
    },
  };
}
