import { PassThrough } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { BodyTooLargeError } from '../errors.js';
import { readBody } from '../files/multipart.js';
import { sendJson } from '../http/json.js';
import { isJson } from '../plain/validation.js';
import type { Runtime } from '../runtime.js';
import { ProcessError, processErrorOf, STATUS_OF_CODE } from './errors.js';
import { ExecuteRequest, parseMessage, ResizeTtyRequest, SendSignalRequest, StartRequest, WriteStdinRequest, type StartMessage } from './messages.js';
import {
  childOf, execute, HEARTBEAT_MS, MAX_MESSAGE_BYTES, resize, runProcess, sendSignal, startProcess, terminalOf, writeStdin, type ProcessOutput,
} from './process.js';

/** One call of `ProcessService` in JSON, and its answer. */
type Call = (runtime: Runtime, request: FastifyRequest, reply: FastifyReply) => Promise<object | void>;

/** The calls by name. `Start` answers by itself. */
export const CALLS: { readonly [name: string]: Call } = {
  Execute: async (runtime, request, reply) => {
    const { config } = await messageOf(request, ExecuteRequest);
    const { exitCode, stdout, stderr } = await execute(runtime, config, hangUpOf(reply), deadlineOf(request));
    return {
      exitCode,
      stdout: stdout.content.toString('base64'),
      stderr: stderr.content.toString('base64'),
      truncated: stdout.truncated || stderr.truncated,
      // 64-bit numbers are strings in protobuf's JSON.
      stdoutBytes: String(stdout.total),
      stderrBytes: String(stderr.total),
    };
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
    resize(terminalOf(runtime, processId), cols, rows);
    return {};
  },
};

/** Answers a call with its result or its error. */
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

/** Answers with events, one JSON object to a line. A caller that reads slowly slows the program down. */
async function stream(runtime: Runtime, message: StartMessage, reply: FastifyReply, timeoutMs: number | undefined): Promise<void> {
  const hangUp = hangUpOf(reply);
  const { id, child } = await startProcess(runtime, message, { stdin: true });
  const lines = new PassThrough({ highWaterMark: 256 * 1024 });
  // Proxies end answers that are silent for long; an empty line is no event.
  const heartbeat = setInterval(() => lines.writableLength > 0 || lines.write('\n'), HEARTBEAT_MS);
  lines.once('close', () => clearInterval(heartbeat));
  hangUp.addEventListener('abort', () => lines.destroy());
  const send = (event: unknown) => {
    if (lines.destroyed || lines.write(`${JSON.stringify(event)}\n`)) {
      return undefined;
    }
    return new Promise<void>(resolve => lines.once('drain', resolve).once('close', resolve));
  };
  runProcess(runtime, { id, child, config: message.config, tell: event => send(jsonEvent(event)), signal: hangUp, timeoutMs })
    .catch((error: unknown) => {
      const { code, message: text } = processErrorOf(error);
      return send({ error: { code, message: text } });
    })
    .finally(() => lines.end());
  reply.header('content-type', 'application/x-ndjson').send(lines);
}

/** An event as protobuf's JSON has it. */
export function jsonEvent(event: ProcessOutput): object {
  return 'stdout' in event ? { stdout: event.stdout.toString('base64') } : 'stderr' in event ? { stderr: event.stderr.toString('base64') } : event;
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
