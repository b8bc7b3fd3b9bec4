import type { Logger } from 'pino';

/**
 * A shell as process 1: starts the program, passes signals on, collects orphans, and ends with the program's code. `wait` returns early
 * when a signal comes, hence the loop.
 */
export const INIT_SCRIPT = `
"$@" &
child=$!
trap 'kill -TERM "$child" 2>/dev/null' TERM
trap 'kill -INT "$child" 2>/dev/null' INT
while :; do
  wait "$child"
  code=$?
  kill -0 "$child" 2>/dev/null || exit "$code"
done
`;

/** Node 22.15 and later. */
type Execve = (file: string, args: readonly string[], env: NodeJS.ProcessEnv) => never;

/**
 * As process 1 of a container, a program inherits every orphan and has to collect those that end. Node waits for its own children
 * only, so the place is given to a shell, which collects all, and the program goes on as its child. Where Node cannot do that
 * (before 22.15), the log says what to do.
 */
export function becomeInit(logger: Pick<Logger, 'warn'>): void {
  if (process.pid !== 1) {
    return;
  }
  const { execve } = process as { execve?: Execve };
  if (execve === undefined) {
    logger.warn('this is process 1 and will not collect orphaned processes: start it through tini, or with Node 22.15 or later');
    return;
  }
  execve.call(process, '/bin/sh', ['sh', '-c', INIT_SCRIPT, 'sh', process.execPath, ...process.execArgv, ...process.argv.slice(1)], process.env);
}
