import { PassThrough } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { BodyTooLargeError } from '../errors.js';
import { readBody } from '../files/multipart.js';
import { sendJson } from '../http/json.js';
import { isJson } from '../plain/validation.js';
import { startChild, type Child } from '../process/child.js';
import { Output } from '../process/output.js';
import { startPty } from '../process/pty.js';
import { runToEnd } from '../process/run.js';
import type { Runtime } from '../runtime.js';
import { ProcessError, processErrorOf, STATUS_OF_CODE } from './errors.js';
import {
  ExecuteRequest, nodeSignal, parseMessage, ResizeTtyRequest, SendSignalRequest, StartRequest, WriteStdinRequest,
  type ConfigMessage, type ProcessEvent, type SignalName, type StartMessage,
} from './messages.js';

/** The limit of gRPC for a message that comes in. */
const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;
/** Input that may wait for a program that does not read it. */
export const MAX_WAITING_BYTES = 8 * 1024 * 1024;

/** What a terminal is, unless the caller says otherwise: not what the runtime's own happens to be. */
const TERM = 'xterm-256color';

/** One call of `ProcessService` and its answer. */
type Call = (runtime: Runtime, request: FastifyRequest, reply: FastifyReply) => Promise<object | void>;

/** The calls by name. `Start` answers by itself. */
export const CALLS: { readonly [name: string]: Call } = {
  Execute: async (runtime, request, reply) => {
    const { config } = await messageOf(request, ExecuteRequest);
    return execute(runtime, config, hangUpOf(reply), deadlineOf(request));
  },
  Start: async (runtime, request, reply) => stream(runtime, await messageOf(request, StartRequest), reply, deadlineOf(request)),
  WriteStdin: async (runtime, request) => {
    const { processId, input } = await messageOf(request, WriteStdinRequest);
    await writeStdin(childOf(runtime, processId), input);
    return {};
  },
  SendSignal: async (runtime, request) => {
    const { processId, signal } = await messageOf(request, SendSignalRequest);
    sendSignal(childOf(runtime, processId), signal);
    return {};
  },
  ResizeTTY: async (runtime, request) => {
    const { processId, cols, rows } = await messageOf(request, ResizeTtyRequest);
    const child = runtime.processes.get(processId);
    if (child === undefined) {
      throw new ProcessError('failed_precondition', `process ${processId} does not exist or has ended`);
    }
    resize(child, cols, rows);
    return {};
  },
};

/** Answers a call, or tells what is wrong. */
export async function handleCall(call: Call, runtime: Runtime, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  try {
    const answer = await call(runtime, request, reply);
    if (answer !== undefined) {
      sendJson(reply, 200, answer);
    }
  } catch (error) {
    const failure = error instanceof BodyTooLargeError ? new ProcessError('resource_exhausted', error.message) : processErrorOf(error);
    sendJson(reply, STATUS_OF_CODE[failure.code], { code: failure.code, message: failure.message });
  }
}

/** Starts a program in its working directory. */
export async function startProcess(
  runtime: Runtime, { config, pty }: StartMessage, options: { readonly stdin: boolean },
): Promise<{ readonly id: number; readonly child: Child }> {
  return runtime.tree.at(config.cwd ?? '', async ({ found }) => {
    if (!found?.stats.isDirectory()) {
      throw new ProcessError('not_found', `cwd is '${config.cwd}', which is not a directory`);
    }
    const command = { argv: config.command, cwd: found.self, env: { ...runtime.options.env, ...(pty && { TERM }), ...config.envVars } };
    return runtime.processes.start(() => pty ? startPty(command, pty) : startChild(command, options));
  }, { stripBase: true });
}

/** Runs a program and tells its events; ends after `exit`. Throws `ProcessError` for a deadline. */
export async function runProcess(
  runtime: Runtime, id: number, child: Child, tell: (event: ProcessEvent) => Promise<void> | void, signal: AbortSignal, timeoutMs?: number,
): Promise<void> {
  await tell({ init: { processId: id } });
  const end = await runToEnd(child, {
    onChunk: (name, chunk) => tell({ [name]: chunk.toString('base64') } as ProcessEvent),
    signal,
    timeoutMs,
    pipeGraceMs: runtime.pipeGraceMs,
  });
  runtime.metrics.commandEnded(end.timedOut ? 'timeout' : end.signal !== undefined ? 'signal' : 'exit');
  if (end.timedOut) {
    throw new ProcessError('deadline_exceeded', `not ended after ${timeoutMs} ms`);
  }
  await tell({ exit: { exitCode: end.code ?? -1 } });
}

export async function writeStdin(child: Child, input: Buffer | undefined): Promise<void> {
  if (child.stdin === undefined) {
    throw new ProcessError('failed_precondition', 'the process has no stdin');
  }
  if (input === undefined) {
    child.stdin.end();
    return;
  }
  if (child.stdin.waiting + input.length > MAX_WAITING_BYTES) {
    throw new ProcessError('resource_exhausted', `more than ${MAX_WAITING_BYTES} bytes wait for the process to read them`);
  }
  await child.stdin.write(input);
}

export function sendSignal(child: Child, signal: SignalName): void {
  child.kill(nodeSignal(signal));
}

export function resize(child: Child, cols: number, rows: number): void {
  if (child.resize === undefined) {
    throw new ProcessError('failed_precondition', 'the process has no terminal');
  }
  child.resize(cols, rows);
}

async function execute(runtime: Runtime, config: ConfigMessage, signal: AbortSignal, timeoutMs: number | undefined): Promise<object> {
  const output = { stdout: new Output(runtime.options.maxOutputBytes), stderr: new Output(runtime.options.maxOutputBytes) };
  const { child } = await startProcess(runtime, { config }, { stdin: false });
  const end = await runToEnd(child, { onChunk: (name, chunk) => output[name].add(chunk), signal, timeoutMs, pipeGraceMs: runtime.pipeGraceMs });
  runtime.metrics.commandEnded(end.timedOut ? 'timeout' : end.signal !== undefined ? 'signal' : 'exit');
  if (end.timedOut) {
    throw new ProcessError('deadline_exceeded', `not ended after ${timeoutMs} ms`);
  }
  return { exitCode: end.code ?? -1, stdout: output.stdout.bytes().toString('base64'), stderr: output.stderr.bytes().toString('base64') };
}

/** Answers with events, one JSON object to a line. A caller that reads slowly slows the program down. */
async function stream(runtime: Runtime, message: StartMessage, reply: FastifyReply, timeoutMs: number | undefined): Promise<void> {
  const hangUp = hangUpOf(reply);
  const { id, child } = await startProcess(runtime, message, { stdin: true });
  const lines = new PassThrough({ highWaterMark: 256 * 1024 });
  hangUp.addEventListener('abort', () => lines.destroy());
  const tell = (event: unknown) => {
    if (lines.destroyed || lines.write(`${JSON.stringify(event)}\n`)) {
      return undefined;
    }
    return new Promise<void>(resolve => lines.once('drain', resolve).once('close', resolve));
  };
  runProcess(runtime, id, child, tell, hangUp, timeoutMs)
    .catch((error: unknown) => {
      const { code, message: text } = processErrorOf(error);
      return tell({ error: { code, message: text } });
    })
    .finally(() => lines.end());
  reply.header('content-type', 'application/x-ndjson').send(lines);
}

function childOf(runtime: Runtime, id: number): Child {
  const child = runtime.processes.get(id);
  if (child === undefined) {
    throw new ProcessError('not_found', `process ${id} does not exist or has ended`);
  }
  return child;
}

async function messageOf<T extends z.ZodType>(request: FastifyRequest, schema: T): Promise<z.infer<T>> {
  if (!isJson(request.headers['content-type'])) {
    request.raw.resume();
    throw new ProcessError('invalid_argument', 'the content type has to be application/json');
  }
  return parseMessage(schema, (await readBody(request.raw, MAX_MESSAGE_BYTES)).toString('utf8'));
}

function deadlineOf(request: FastifyRequest): number | undefined {
  const header = request.headers['connect-timeout-ms'];
  if (header === undefined) {
    return undefined;
  }
  if (typeof header !== 'string' || !/^\d{1,10}$/.test(header)) {
    throw new ProcessError('invalid_argument', 'Connect-Timeout-Ms has to be a number of at most ten digits');
  }
  return Number(header);
}

function hangUpOf(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.once('close', () => controller.abort());
  return controller.signal;
}
