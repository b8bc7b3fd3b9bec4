import { splitWords, WordsError } from 'agent-sandbox-api';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { pythonRepr, SpawnError, StoppingError, TooManyCommandsError } from '../errors.js';
import { readBody } from '../files/multipart.js';
import { sendJson } from '../http/json.js';
import { startChild } from '../process/child.js';
import { Output } from '../process/output.js';
import { outcomeOf, runToEnd } from '../process/run.js';
import type { Runtime } from '../runtime.js';
import { parseExecute, type ExecuteBody } from './validation.js';

/** More than a kernel takes as arguments anyway. */
const MAX_COMMAND_BYTES = 4 * 1024 * 1024;

export interface ExecuteResult {
  readonly stdout: string;
  readonly stderr: string;
  /** Of the program, -n when signal n ended it, 1 when it was not started or took too long. */
  readonly exit_code: number;
  /** Number of the signal that ended the program. */
  readonly signal?: number;
  readonly timed_out: boolean;
  /** Whether bytes are missing from the middle of a stream. */
  readonly truncated: boolean;
  /** Bytes that the program wrote. */
  readonly stdout_bytes: number;
  readonly stderr_bytes: number;
  /** What the streams are written in, if it was asked for. */
  readonly encoding?: 'base64';
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

async function execute(runtime: Runtime, { command, timeoutSeconds, base64 }: ExecuteBody, signal: AbortSignal): Promise<ExecuteResult> {
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
    runtime.metrics.commandEnded(outcomeOf(end));
    const note = end.timedOut ? failure(`Command '[${argv.map(pythonRepr).join(', ')}]' timed out after ${limit} seconds`) : '';
    return {
      ...(base64 ? asBase64(output, note) : asText(output, note)),
      exit_code: end.timedOut ? 1 : end.code ?? -end.signal!,
      ...(end.signal !== undefined && !end.timedOut && { signal: end.signal }),
      timed_out: end.timedOut,
    };
  } catch (error) {
    if (error instanceof WordsError || error instanceof SpawnError) {
      runtime.metrics.commandEnded('failed');
      return { ...(base64 ? asBase64(output, failure(error.message)) : asText(output, failure(error.message))), exit_code: 1, timed_out: false };
    }
    throw error;
  }
}

interface Outputs {
  readonly stdout: Output;
  readonly stderr: Output;
}

type Streams = Pick<ExecuteResult, 'stdout' | 'stderr' | 'truncated' | 'stdout_bytes' | 'stderr_bytes' | 'encoding'>;

function asText(output: Outputs, note: string): Streams {
  const [stdout, stderr] = [output.stdout.text(), output.stderr.text()];
  const separator = note === '' || stderr.content === '' || stderr.content.endsWith('\n') ? '' : '\n';
  return {
    stdout: stdout.content,
    stderr: `${stderr.content}${separator}${note}`,
    truncated: stdout.truncated || stderr.truncated,
    stdout_bytes: stdout.total,
    stderr_bytes: stderr.total,
  };
}

function asBase64(output: Outputs, note: string): Streams {
  const [stdout, stderr] = [output.stdout.bytes(), output.stderr.bytes()];
  const separator = note === '' || stderr.content.length === 0 || stderr.content.at(-1) === 0x0a ? '' : '\n';
  return {
    stdout: stdout.content.toString('base64'),
    stderr: Buffer.concat([stderr.content, Buffer.from(separator + note)]).toString('base64'),
    truncated: stdout.truncated || stderr.truncated,
    stdout_bytes: stdout.total,
    stderr_bytes: stderr.total,
    encoding: 'base64',
  };
}

const failure = (reason: string) => `Failed to execute command: ${reason}`;
