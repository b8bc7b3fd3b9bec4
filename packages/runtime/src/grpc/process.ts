import type { ServiceImpl } from '@connectrpc/connect';
import type { ProcessService, ProcessConfig } from '../proto/process/v1/process_pb.js';
import type { Runtime } from '../runtime.js';
import { checked, ExecuteRequest, ResizeTtyRequest, SendSignalRequest, StartRequest, WriteStdinRequest } from '../sandboxd/messages.js';
import { childOf, execute, resize, runProcess, sendSignal, startProcess, terminalOf, writeStdin, type ProcessOutput } from '../sandboxd/process.js';
import { Channel } from './channel.js';
import { withErrors } from './errors.js';

/** Of each stream of `Execute`: clients of gRPC refuse answers over 4 MiB, and would lose the exit code with them. */
const MAX_UNARY_OUTPUT_BYTES = 2 * 1024 * 1024 - 4096;

/** `process.v1.ProcessService` of a runtime. */
export function processService(runtime: Runtime): ServiceImpl<typeof ProcessService> {
  return {
    execute: withErrors(async (request, { signal }) => {
      const { config } = checked(ExecuteRequest, { config: configOf(request.config) });
      const { exitCode, stdout, stderr } = await execute(runtime, config, signal, undefined, MAX_UNARY_OUTPUT_BYTES);
      return {
        exitCode, stdout: stdout.content, stderr: stderr.content,
        truncated: stdout.truncated || stderr.truncated, stdoutBytes: BigInt(stdout.total), stderrBytes: BigInt(stderr.total),
      };
    }),
    async* start(request, { signal }) {
      const events = await withErrors(async () => {
        const message = checked(StartRequest, { config: configOf(request.config), pty: request.pty });
        const { id, child } = await startProcess(runtime, message, { stdin: true });
        const channel = new Channel<ProcessOutput>();
        runProcess(runtime, { id, child, config: message.config, tell: event => channel.push(event), signal })
          .then(() => channel.end(), (error: unknown) => channel.end(error));
        return channel;
      })();
      const iterator = events[Symbol.asyncIterator]();
      try {
        for (;;) {
          const next = await withErrors(() => iterator.next())();
          if (next.done) {
            return;
          }
          yield { event: eventOf(next.value) };
        }
      } finally {
        await iterator.return(undefined);
      }
    },
    writeStdin: withErrors(async request => {
      const { case: kind, value } = request.payload;
      const { processId, input } = checked(WriteStdinRequest, {
        processId: request.processId,
        ...(kind === 'input' && { input: Buffer.from(value).toString('base64') }),
        ...(kind === 'eof' && { eof: {} }),
      });
      await writeStdin(childOf(runtime, processId), input);
      return {};
    }),
    sendSignal: withErrors(async request => {
      const { processId, signal } = checked(SendSignalRequest, request);
      sendSignal(childOf(runtime, processId), signal);
      return {};
    }),
    resizeTTY: withErrors(async request => {
      const { processId, cols, rows } = checked(ResizeTtyRequest, request);
      resize(terminalOf(runtime, processId), cols, rows);
      return {};
    }),
  };
}

function configOf(config: ProcessConfig | undefined): unknown {
  return config && { ...config, cwd: config.cwd || undefined };
}

function eventOf(event: ProcessOutput) {
  if ('init' in event) {
    return { case: 'init' as const, value: event.init };
  }
  if ('exit' in event) {
    return { case: 'exit' as const, value: event.exit };
  }
  return 'stdout' in event ? { case: 'stdout' as const, value: event.stdout } : { case: 'stderr' as const, value: event.stderr };
}
