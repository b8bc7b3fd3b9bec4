import { pipeline } from 'node:stream/promises';
import { SandboxUnsupportedError } from '../errors.js';
import { Process } from '../process.js';
import { Sandbox } from '../sandbox.js';
import { EXIT, ExitError, Streams, deliver, print } from './output.js';

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
    return isTimedOut ? EXIT.timedOut : exitCodeOf(code);
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
  return result.timedOut ? EXIT.timedOut : exitCodeOf(result.exitCode);
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
  stdin.setRawMode(true);
  stdin.on('data', input);
  stdout.on('resize', resize);
  try {
    await deliver(process.stdout, stdout, signal);
    return exitCodeOf(await process.exit);
  } finally {
    stdin.off('data', input);
    stdout.off('resize', resize);
    stdin.setRawMode(false);
    stdin.pause();
  }
}

/** Of a command: its own, 128 and more when a signal ended it. */
export function exitCodeOf(code: number): number {
  return code >= 0 ? code : code === -1 ? EXIT.signal : 128 - code;
}

async function collect(from: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of from) {
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
