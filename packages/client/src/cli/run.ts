import { spawnSync } from 'node:child_process';
import { pipeline } from 'node:stream/promises';
import { SandboxRequestError, SandboxUnsupportedError } from '../errors.js';
import type { Process } from '../process.js';
import type { Sandbox } from '../sandbox.js';
import { EXIT, ExitError, type Streams, deliver, print } from './output.js';

/** Exit codes of shells for a program that does not exist, or cannot be executed. */
const NOT_STARTED: Readonly<Record<string, number>> = { not_found: 127, permission_denied: 126 };

export interface RunFlags {
  readonly stdin?: boolean;
  /** Milliseconds. */
  readonly timeout?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly json?: boolean;
}

/** Runs a command in a sandbox with its output as it comes, and returns the exit code for this program. */
export async function runCommand(
  sandbox: Sandbox, command: readonly string[], flags: RunFlags, streams: Streams, signal: AbortSignal,
): Promise<number> {
  let process: Process;
  try {
    process = await sandbox.commands.start(command, { env: flags.env, cwd: flags.cwd, signal });
  } catch (error) {
    if (error instanceof SandboxUnsupportedError && !flags.stdin && !flags.env && flags.cwd === undefined) {
      return runAtOnce(sandbox, command, flags, streams, signal);
    }
    if (error instanceof SandboxRequestError && error.reason !== undefined && error.reason in NOT_STARTED) {
      throw new ExitError(NOT_STARTED[error.reason], error.message);
    }
    throw error;
  }
  let isTimedOut = false;
  const timer = flags.timeout === undefined ? undefined : setTimeout(() => {
    isTimedOut = true;
    // If the connection is gone, the runtime has ended it already.
    process.kill('SIGKILL').catch(() => undefined);
  }, flags.timeout);
  try {
    if (flags.stdin) {
      // The program may end before its input does.
      pipeline(streams.stdin, process.stdin).catch(() => undefined);
    } else {
      process.stdin.end();
    }
    const output = flags.json
      ? await Promise.all([collect(process.stdout), collect(process.stderr)])
      : await Promise.all([deliver(process.stdout, streams.stdout, signal), deliver(process.stderr, streams.stderr, signal)]);
    const code = await process.exit;
    if (flags.json) {
      print(streams, true, { exitCode: code, stdout: output[0], stderr: output[1], timedOut: isTimedOut }, () => []);
    }
    return isTimedOut ? EXIT.timedOut : code;
  } finally {
    clearTimeout(timer);
    process.close();
    streams.stdin.destroy();
  }
}

/** For runtimes without streams. */
async function runAtOnce(sandbox: Sandbox, command: readonly string[], flags: RunFlags, streams: Streams, signal: AbortSignal): Promise<number> {
  const result = await sandbox.commands.run(command, { timeoutMs: flags.timeout, signal });
  if (flags.json) {
    print(streams, true, result, () => []);
  } else {
    streams.stdout.write(result.stdout);
    streams.stderr.write(result.stderr);
  }
  if (result.truncated) {
    throw new ExitError(EXIT.failed, `${result.omittedBytes} bytes of the output are missing: the runtime keeps no more, and has no streams`);
  }
  if (result.limit?.of === 'runtime') {
    throw new ExitError(EXIT.timedOut, `the runtime ended the command at its own time limit of ${result.limit.timeoutMs / 1000} s`);
  }
  return result.timedOut ? EXIT.timedOut : result.exitCode;
}

/** A terminal in a sandbox. Returns the exit code of the shell. */
export async function openShell(sandbox: Sandbox, command: readonly string[], { stdin, stdout }: Streams, signal: AbortSignal): Promise<number> {
  if (!stdin.isTTY || !stdout.isTTY) {
    throw new ExitError(EXIT.usage, 'shell needs a terminal: use run --stdin to pipe commands');
  }
  const size = () => ({ cols: stdout.columns, rows: stdout.rows });
  await using process = await sandbox.commands.start(command, { pty: size(), signal });
  const resize = () => void process.resize(size()).catch(() => undefined);
  const input = (chunk: Buffer) => {
    // The terminal is raw, so keys come one by one: no need to wait for the network.
    process.stdin.write(chunk);
  };
  setRaw(stdin);
  stdin.on('data', input);
  stdout.on('resize', resize);
  try {
    await deliver(process.stdout, stdout, signal);
    return await process.exit;
  } finally {
    stdin.off('data', input);
    stdout.off('resize', resize);
    stdin.setRawMode(false);
    stdin.pause();
  }
}

/**
 * Gives the keys to the program in the sandbox, one by one. Node's raw mode still turns every \n of the output into \r\n, which spoils
 * programs that use the whole screen; `stty` takes that off, and leaving the raw mode sets everything back.
 */
function setRaw(stdin: NodeJS.ReadStream): void {
  stdin.setRawMode(true);
  const fd = (stdin as NodeJS.ReadStream & { fd?: number }).fd;
  if (fd !== undefined) {
    // Windows has no stty, and nothing to take off.
    spawnSync('stty', ['-opost'], { stdio: [fd, 'ignore', 'ignore'] });
  }
}

async function collect(from: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of from) {
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
