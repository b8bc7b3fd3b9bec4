import { z } from 'zod';
import { DEFAULT_MAX_ENTRIES, MAX_ENTRIES } from './files/entries.js';
import type { RuntimeOptions } from './options.js';
import { STATUS_OF_CODE } from './sandboxd/errors.js';
import { ExecuteRequest, ResizeTtyRequest, SendSignalRequest, StartRequest, WriteStdinRequest } from './sandboxd/messages.js';

type Schema = { readonly [key: string]: unknown };

const string: Schema = { type: 'string' };
const integer: Schema = { type: 'integer' };
const number: Schema = { type: 'number' };
const boolean: Schema = { type: 'boolean' };
const bytes: Schema = { type: 'string', contentEncoding: 'base64' };

/** An object with exactly these properties; those with a question mark may be absent. */
function object(properties: { readonly [name: string]: Schema }): Schema {
  const names = Object.keys(properties);
  return {
    type: 'object',
    properties: Object.fromEntries(names.map(name => [name.replace('?', ''), properties[name]])),
    required: names.filter(name => !name.endsWith('?')),
    additionalProperties: false,
  };
}
const array = (items: Schema): Schema => ({ type: 'array', items });
const oneOf = (...values: readonly unknown[]): Schema => ({ enum: values });
const json = (schema: Schema) => ({ 'application/json': { schema } });
const answer = (description: string, content?: object) => ({ description, ...(content && { content }) });
const binary = { 'application/octet-stream': {} };

const MESSAGE = object({ message: string });
const DETAIL = object({ detail: string });
const FINDINGS = object({ detail: array(object({ 'type': string, 'loc': array({ type: ['string', 'integer'] }), 'msg': string, 'input': {}, 'ctx?': {} })) });
const CODE = object({ code: string, message: string });
const PROCESS_ERROR = object({ code: oneOf(...Object.keys(STATUS_OF_CODE)), message: string });
const AGENT_RESULT = object({ stdout: string, stderr: string, exit_code: integer });
const RESULT = object({
  'stdout': string, 'stderr': string, 'exit_code': integer, 'signal?': integer, 'timed_out': boolean,
  'truncated': boolean, 'stdout_bytes': integer, 'stderr_bytes': integer, 'encoding?': oneOf('base64'),
});
const PLAIN_ENTRY = object({ name: string, size: integer, type: oneOf('file', 'directory'), mod_time: number });
const MODE: Schema = { type: 'string', pattern: '^0[0-7]{3}$' };
const TIME: Schema = { type: 'string', format: 'date-time' };
const ENTRY = object({ name: string, size: integer, type: oneOf('file', 'directory'), modified_at: TIME, mode: MODE });
const STAT = object({ 'path': string, 'type': oneOf('file', 'directory', 'symlink'), 'size': integer, 'modified_at': TIME, 'mode': MODE, 'target?': string });
const ARCHIVE = oneOf('tar', 'tar.gz');
const WATCH_EVENT = {
  oneOf: [object({ event: oneOf('ready') }), object({ event: oneOf('error'), message: string }), object({ event: oneOf('changed'), entry: ENTRY }), object({ event: oneOf('removed'), name: string })],
};
const PROCESS_EVENT = {
  oneOf: [
    object({ init: object({ processId: integer }) }), object({ stdout: bytes }), object({ stderr: bytes }),
    object({ exit: object({ exitCode: integer }) }), object({ error: PROCESS_ERROR }),
  ],
};

const PATH = { name: 'path', in: 'path', required: true, description: 'Relative to the base directory; slashes may be encoded. May be empty.', schema: string };
const query = (name: string, schema: Schema, description: string) => ({ name, in: 'query', description, schema });
const denied = answer('The path leaves the base directory', json(MESSAGE));
const invalid = answer('The body is not as described', json(FINDINGS));
const busy = answer('Too many at a time; nothing was started', json(MESSAGE));
const failures = (...statuses: readonly number[]) => Object.fromEntries(statuses.map(status => [status, answer('', json(CODE))]));
const multipart = { 'multipart/form-data': { schema: object({ file: binary }) } };

const body = (schema: Schema) => ({ required: true, content: json(schema) });
const fromZod = (schema: z.ZodType): Schema => {
  const converted: { $schema?: unknown } = z.toJSONSchema(schema, { io: 'input', reused: 'inline', unrepresentable: 'any' });
  delete converted.$schema;
  return converted as Schema;
};
const call = (summary: string, request: z.ZodType, content: object) => ({
  post: {
    summary,
    requestBody: body(fromZod(request)),
    responses: {
      200: answer('', content),
      ...Object.fromEntries([...new Set(Object.values(STATUS_OF_CODE))].map(status => [status, answer('', json(PROCESS_ERROR))])),
    },
  },
});

const COMMON = {
  '/': { get: { summary: 'Whether the runtime is there', responses: { 200: answer('', json(object({ status: oneOf('ok'), message: string }))) } } },
  '/healthz': { get: { summary: 'Health', responses: { 200: answer('ok', { 'text/plain': {} }), 503: answer('stopping', { 'text/plain': {} }) } } },
  '/metrics': { get: { summary: 'Metrics for Prometheus', responses: { 200: answer('', { 'text/plain': {} }) } } },
  '/openapi.json': { get: { summary: 'This document', responses: { 200: answer('', json({ type: 'object' })) } } },
};

const COMMANDS_AND_FILES = {
  '/execute': {
    post: {
      summary: 'Run a command to its end',
      requestBody: body({
        type: 'object',
        properties: { command: string, timeout_seconds: { type: ['number', 'string', 'null'], exclusiveMinimum: 0 }, encoding: oneOf('utf-8', 'base64', null) },
        required: ['command'],
      }),
      responses: { 200: answer('Whatever became of it', json(RESULT)), 422: invalid, 503: busy },
    },
  },
  '/upload': {
    post: {
      summary: 'Write a file; the file name of the part is the path',
      requestBody: { required: true, content: multipart },
      responses: {
        200: answer('', json(MESSAGE)), 400: answer('Broken multipart', json(DETAIL)), 403: denied, 413: answer('', json(MESSAGE)), 422: invalid, 500: answer('', json(MESSAGE)),
      },
    },
  },
  '/download/{path}': {
    get: {
      summary: 'Read a file or ranges of it', parameters: [PATH],
      responses: { 200: answer('', binary), 206: answer('', { ...binary, 'multipart/byteranges': {} }), 400: answer('No range', { 'text/plain': {} }), 403: denied, 404: answer('', json(MESSAGE)), 416: answer('', { 'text/plain': {} }) },
    },
  },
  '/list/{path}': {
    get: { summary: 'List a directory', parameters: [PATH], responses: { 200: answer('', json(array(PLAIN_ENTRY))), 403: denied, 404: answer('', json(MESSAGE)), 500: answer('', json(MESSAGE)) } },
  },
  '/exists/{path}': {
    get: { summary: 'Whether a path exists', parameters: [PATH], responses: { 200: answer('', json(object({ path: string, exists: boolean }))), 403: denied } },
  },
  '/v1/files/{path}': {
    get: {
      summary: 'Read a file, list, watch or pack a directory',
      parameters: [
        PATH,
        query('recursive', boolean, 'List or watch what is below, too; names are then paths'),
        query('max_entries', { type: 'integer', minimum: 1, maximum: MAX_ENTRIES, default: DEFAULT_MAX_ENTRIES }, 'Of a recursive listing'),
        query('stat', boolean, 'What is at the path instead, links as links'),
        query('watch', boolean, 'Changes in a directory instead, one object to a line'),
        query('archive', ARCHIVE, 'What is in a directory as an archive'),
      ],
      responses: {
        200: answer('', {
          ...binary, 'application/x-tar': {}, 'application/gzip': {},
          ...json({ oneOf: [object({ 'path': string, 'entries': array(ENTRY), 'truncated?': boolean }), STAT] }),
          'application/x-ndjson': { schema: WATCH_EVENT },
        }),
        206: answer('', binary), 304: answer(''), 412: answer(''), 416: answer(''), ...failures(400, 403, 404, 429, 500),
      },
    },
    head: { summary: 'The headers of a file', parameters: [PATH], responses: { 200: answer(''), 403: answer(''), 404: answer('') } },
    put: {
      summary: 'Write a file, make a directory, or unpack an archive into one',
      parameters: [
        PATH, query('mode', MODE, 'Permissions'), query('type', oneOf('file', 'directory'), 'What to make'), query('archive', ARCHIVE, 'The body is an archive of what is to be in the directory'),
        { name: 'If-None-Match', in: 'header', description: 'Write only if nothing is there', schema: oneOf('*') },
      ],
      requestBody: { content: { ...binary, ...multipart, 'application/x-tar': {}, 'application/gzip': {} } },
      responses: { 200: answer('Unpacked', json(object({ entries: integer, skipped: array(string) }))), 204: answer(''), ...failures(400, 403, 404, 409, 412, 413, 500) },
    },
    post: {
      summary: 'Move or copy a file or a directory',
      parameters: [
        PATH, { ...query('action', oneOf('move', 'copy'), 'What to do'), required: true }, { ...query('destination', string, 'Path, like the first one'), required: true },
        query('overwrite', boolean, 'Replace what is at the destination'),
      ],
      responses: { 204: answer(''), ...failures(400, 403, 404, 409, 500) },
    },
    delete: {
      summary: 'Remove a file or a directory',
      parameters: [PATH, query('recursive', boolean, 'Remove a directory with its contents')],
      responses: { 204: answer(''), ...failures(400, 403, 404, 409, 500) },
    },
  },
  '/v1/health': { get: { summary: 'Health', responses: { 200: answer('', json(object({ status: oneOf('ok'), uptime_seconds: integer }))), 503: answer('', json(CODE)) } } },
  '/v1/metadata': { get: { summary: 'Variables of the runtime', responses: { 200: answer('', json(object({ env: { type: 'object', additionalProperties: string } }))) } } },
  '/process.v1.ProcessService/Execute': call('Run a program to its end', ExecuteRequest, json(object({ exitCode: integer, stdout: bytes, stderr: bytes, truncated: boolean, stdoutBytes: string, stderrBytes: string }))),
  '/process.v1.ProcessService/Start': call('Run a program and tell its events, one to a line', StartRequest, { 'application/x-ndjson': { schema: PROCESS_EVENT } }),
  '/process.v1.ProcessService/WriteStdin': call('Give a program input', WriteStdinRequest, json(object({}))),
  '/process.v1.ProcessService/SendSignal': call('Send a signal to a process group', SendSignalRequest, json(object({}))),
  '/process.v1.ProcessService/ResizeTTY': call('Set the size of a terminal', ResizeTtyRequest, json(object({}))),
};

const AGENT = {
  '/agent': {
    post: {
      summary: 'Let a model do something in a browser',
      requestBody: body({ type: 'object', properties: { query: string, api_key: { type: 'null' } }, required: ['query'] }),
      responses: { 200: answer('', json(AGENT_RESULT)), 422: invalid, 503: busy },
    },
  },
};

/** The OpenAPI document of a runtime with commands and files, or of one with an agent. The WebSocket is described in PROTOCOL.md. */
export function openApiDocument(options: Pick<RuntimeOptions, 'computerUse'>): object {
  return {
    openapi: '3.1.0',
    info: { title: 'Agentic Sandbox Runtime', version: '1.0.0' },
    paths: { ...COMMON, ...(options.computerUse ? AGENT : COMMANDS_AND_FILES) },
  };
}
