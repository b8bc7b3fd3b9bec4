import { messageOf } from '../errors.js';

/** A finding about a body, in the shape of FastAPI. */
export interface Finding {
  readonly type: string;
  readonly loc: readonly (string | number)[];
  readonly msg: string;
  readonly input: unknown;
  readonly ctx?: { readonly [key: string]: unknown };
}

/** A body is not what the endpoint takes: 422 with these findings. */
export class InvalidBodyError extends Error {
  constructor(public readonly detail: readonly Finding[]) {
    super(detail.map(each => `${each.loc.join('.')}: ${each.msg}`).join('; '));
    this.name = 'InvalidBodyError';
  }
}

export interface ExecuteBody {
  readonly command: string;
  /** Seconds; finite and above 0. */
  readonly timeoutSeconds?: number;
  /** Whether the streams are answered as base64 of their bytes instead of text. */
  readonly base64: boolean;
}

/** The body of `/execute`. Throws `InvalidBodyError`. */
export function parseExecute(bytes: Buffer, contentType: string | undefined): ExecuteBody {
  const body = parseObject(bytes, contentType);
  const findings: Finding[] = [];
  const command = requiredString(body, 'command', findings);
  const timeoutSeconds = seconds(body.timeout_seconds, ['body', 'timeout_seconds'], findings);
  const { encoding = 'utf-8' } = body;
  if (encoding !== null && encoding !== 'utf-8' && encoding !== 'base64') {
    findings.push({ type: 'enum', loc: ['body', 'encoding'], msg: "Input should be 'utf-8' or 'base64'", input: encoding });
  }
  throwIfAny(findings);
  return { command: command!, timeoutSeconds, base64: encoding === 'base64' };
}

/** The body of `/agent`: the query. Throws `InvalidBodyError`, also for a key: those come from the environment only. */
export function parseAgent(bytes: Buffer, contentType: string | undefined): string {
  const body = parseObject(bytes, contentType);
  const findings: Finding[] = [];
  const query = requiredString(body, 'query', findings);
  if (body.api_key !== undefined && body.api_key !== null) {
    const msg = 'Keys are taken from the environment of the runtime only: set GEMINI_API_KEY there';
    findings.push({ type: 'extra_forbidden', loc: ['body', 'api_key'], msg, input: null });
  }
  throwIfAny(findings);
  return query!;
}

function parseObject(bytes: Buffer, contentType: string | undefined): { readonly [key: string]: unknown } {
  if (bytes.length === 0) {
    throw new InvalidBodyError([{ type: 'missing', loc: ['body'], msg: 'Field required', input: null }]);
  }
  const text = bytes.toString('utf8');
  const body = isJson(contentType) ? parseJson(text) : text;
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    const msg = 'Input should be a valid dictionary or object to extract fields from';
    throw new InvalidBodyError([{ type: 'model_attributes_type', loc: ['body'], msg, input: body }]);
  }
  return body as { readonly [key: string]: unknown };
}

export function isJson(contentType: string | undefined): boolean {
  return /^\s*application\/([\w.-]+\+)?json\s*(;|$)/i.test(contentType ?? '');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const message = messageOf(error);
    const position = Number(/position (\d+)/.exec(message)?.[1] ?? text.length);
    throw new InvalidBodyError([{ type: 'json_invalid', loc: ['body', position], msg: 'JSON decode error', input: {}, ctx: { error: message } }]);
  }
}

function requiredString(body: { readonly [key: string]: unknown }, key: string, findings: Finding[]): string | undefined {
  const value = body[key];
  if (typeof value === 'string') {
    return value;
  }
  findings.push(key in body
    ? { type: 'string_type', loc: ['body', key], msg: 'Input should be a valid string', input: value }
    : { type: 'missing', loc: ['body', key], msg: 'Field required', input: body });
  return undefined;
}

function seconds(value: unknown, loc: readonly string[], findings: Finding[]): number | undefined {
  if (value === undefined || value === null) {
    return undefined;
  }
  // Numbers in strings are numbers, as they are for FastAPI.
  const number = typeof value === 'number' ? value : typeof value === 'string' && value.trim() !== '' ? Number(value) : NaN;
  if (Number.isNaN(number)) {
    findings.push(typeof value === 'string'
      ? { type: 'float_parsing', loc, msg: 'Input should be a valid number, unable to parse string as a number', input: value }
      : { type: 'float_type', loc, msg: 'Input should be a valid number', input: value });
  } else if (!Number.isFinite(number)) {
    findings.push({ type: 'finite_number', loc, msg: 'Input should be a finite number', input: String(value) });
  } else if (number <= 0) {
    findings.push({ type: 'greater_than', loc, msg: 'Input should be greater than 0', input: value, ctx: { gt: 0 } });
  }
  return number;
}

function throwIfAny(findings: readonly Finding[]): void {
  if (findings.length > 0) {
    throw new InvalidBodyError(findings);
  }
}
