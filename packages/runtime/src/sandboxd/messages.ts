import { z } from 'zod';
import { messageOf } from '../errors.js';
import { ProcessError } from './errors.js';

/**
 * The messages of `process.v1.ProcessService` as protobuf's JSON mapping writes them. Names are accepted in snake case, too, bytes
 * in both alphabets of base64, and null where a field may be absent.
 */
const bytes = z.string().regex(/^[A-Za-z0-9+/_-]*={0,2}$/, 'has to be base64').transform(text => Buffer.from(text, 'base64'))
  .meta({ type: 'string', contentEncoding: 'base64' });
const int32 = z.int32();
const uint32 = z.int().min(0).max(2 ** 32 - 1);
const uint16 = z.int().min(0).max(65535);

export const Config = z.object({
  command: z.array(z.string()).min(1, 'has to name a program').refine(words => words[0] !== '', 'has to name a program'),
  envVars: z.record(z.string().regex(/^[^=\0]+$/, 'is not the name of a variable'), z.string().regex(/^[^\0]*$/, 'has a null byte in it')).default({}),
  cwd: z.string().optional(),
  timeoutMs: uint32.optional(),
  maxOutputBytes: uint32.optional(),
}).meta({ id: 'ProcessConfig' });

const Empty = z.object({}).meta({ id: 'Empty' });
const Signal = z.union([z.enum(['SIGNAL_SIGINT', 'SIGNAL_SIGKILL', 'SIGNAL_SIGTERM']), z.literal([2, 9, 15])]);
const pty = z.object({ cols: uint16.default(0), rows: uint16.default(0) });
const processId = int32.min(1);
const size = { cols: uint16.min(1), rows: uint16.min(1) };

export const ExecuteRequest = z.object({ config: Config });
export const StartRequest = z.object({ config: Config, pty: pty.optional() });
export const WriteStdinRequest = z.object({ processId, input: bytes.optional(), eof: Empty.optional() })
  .refine(each => (each.input === undefined) !== (each.eof === undefined), 'has to have either input or eof');
export const SendSignalRequest = z.object({ processId, signal: Signal });
export const ResizeTtyRequest = z.object({ processId, ...size });

/** What a client sends over a WebSocket, after `start`. */
export const ClientMessage = z.union([
  z.strictObject({ input: bytes }),
  z.strictObject({ eof: Empty }),
  z.strictObject({ signal: Signal }),
  z.strictObject({ resize: z.object(size) }),
]);
export const FirstMessage = z.strictObject({ start: StartRequest });

export type ConfigMessage = z.infer<typeof Config>;
export type StartMessage = z.infer<typeof StartRequest>;
export type InputMessage = z.infer<typeof ClientMessage>;
export type SignalName = z.infer<typeof Signal>;

const SIGNALS: { readonly [signal: string]: NodeJS.Signals } = {
  SIGNAL_SIGINT: 'SIGINT', SIGNAL_SIGKILL: 'SIGKILL', SIGNAL_SIGTERM: 'SIGTERM', 2: 'SIGINT', 9: 'SIGKILL', 15: 'SIGTERM',
};

export const nodeSignal = (signal: SignalName): NodeJS.Signals => SIGNALS[signal]!;

/** Reads a message. Throws `ProcessError` with code `invalid_argument`. */
export function parseMessage<T extends z.ZodType>(schema: T, text: string): z.infer<T> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new ProcessError('invalid_argument', `the message is not JSON: ${messageOf(error)}`);
  }
  return checked(schema, normalized(json, 0));
}

/** Checks a message that has its own names and types. Throws `ProcessError` with code `invalid_argument`. */
export function checked<T extends z.ZodType>(schema: T, message: unknown): z.infer<T> {
  const result = schema.safeParse(message);
  if (!result.success) {
    throw new ProcessError('invalid_argument', z.prettifyError(result.error).replace(/^✖ /gm, '').replaceAll('\n', '; '));
  }
  return result.data;
}

const ALIASES: { readonly [name: string]: string } = { process_id: 'processId', env_vars: 'envVars', timeout_ms: 'timeoutMs', max_output_bytes: 'maxOutputBytes' };

/** Names in camel case, and without fields that are null. Names of variables stay as they are. */
function normalized(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || depth > 3) {
    return value;
  }
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== null).map(([name, each]) => {
    const known = ALIASES[name] ?? name;
    return [known, known === 'envVars' ? each : normalized(each, depth + 1)];
  }));
}
