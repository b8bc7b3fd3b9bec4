import type { FastifyReply, FastifyRequest } from 'fastify';
import { pythonRepr, SpawnError, StoppingError, TooManyCommandsError } from '../errors.js';
import { readBody } from '../files/multipart.js';
import { sendJson } from '../http/json.js';
import { startChild } from '../process/child.js';
import { Output } from '../process/output.js';
import { runToEnd } from '../process/run.js';
import type { Runtime } from '../runtime.js';
import { splitWords, WordsError } from '../words.js';
import { parseExecute, type ExecuteBody } from './validation.js';

/** More than a kernel takes as arguments anyway. */
export const MAX_COMMAND_BYTES = 4 * 1024 * 1024;

export interface ExecuteResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly exit_code: number;
  readonly timed_out: boolean;
}

/** `POST /execute`: 200 whatever becomes of the command; 422 for a body that is not one, 503 when there are too many commands. */
export async function handleExecute(runtime: Runtime, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const body = parseExecute(await readBody(request.raw, MAX_COMMAND_BYTES), request.headers['content-type']);
  const hangUp = new AbortController();
  reply.raw.once('close', () => hangUp.abort());
  try {
    return sendJson(reply, 200, await execute(runtime, body, hangUp.signal));
  } catch (error) {
    if (error instanceof TooManyCommandsError || error instanceof StoppingError) {
      return sendJson(reply.header('retry-after', '1'), 503, { message: error.message });
    }
    throw error;
  }
}

async function execute(runtime: Runtime, { command, timeoutSeconds }: ExecuteBody, signal: AbortSignal): Promise<ExecuteResult> {
  const { options } = runtime;
  const limit = Math.min(timeoutSeconds ?? Infinity, options.execTimeoutSeconds);
  const output = { stdout: new Output(options.maxOutputBytes), stderr: new Output(options.maxOutputBytes) };
  let argv: string[];
  try {
    argv = splitWords(command);
    if (argv.length === 0) {
      throw new WordsError('list index out of range');
    }
    const { child } = await runtime.processes.start(() => startChild({ argv, cwd: runtime.tree.base, env: options.env }, { stdin: false }));
    const end = await runToEnd(child, {
      onChunk: (stream, chunk) => output[stream].add(chunk),
      signal,
      timeoutMs: limit * 1000,
      pipeGraceMs: runtime.pipeGraceMs,
    });
    runtime.metrics.commandEnded(end.timedOut ? 'timeout' : end.signal !== undefined ? 'signal' : 'exit');
    const [stdout, stderr] = [output.stdout.text(), output.stderr.text()];
    if (!end.timedOut) {
      return { stdout, stderr, exit_code: end.code ?? -end.signal!, timed_out: false };
    }
    const separator = stderr === '' || stderr.endsWith('\n') ? '' : '\n';
    const message = failure(`Command '[${argv.map(pythonRepr).join(', ')}]' timed out after ${limit} seconds`);
    return { stdout, stderr: `${stderr}${separator}${message}`, exit_code: 1, timed_out: true };
  } catch (error) {
    if (error instanceof WordsError || error instanceof SpawnError) {
      runtime.metrics.commandEnded('failed');
      return { stdout: '', stderr: failure(error.message), exit_code: 1, timed_out: false };
    }
    throw error;
  }
}

const failure = (reason: string) => `Failed to execute command: ${reason}`;
