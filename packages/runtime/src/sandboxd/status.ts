import type { FastifyReply, FastifyRequest } from 'fastify';
import { sendJson } from '../http/json.js';
import type { Runtime } from '../runtime.js';

/** Names with one of these in them are taken for secrets. */
const SENSITIVE = ['TOKEN', 'SECRET', 'PASSWORD', 'PASSWD', 'CRED', 'KEY', 'AUTH', 'BEARER', 'PRIVATE', 'CERT'];

/** The variables that `/v1/metadata` tells: those with the prefix, without what looks like a secret. */
export function metadataOf(env: NodeJS.ProcessEnv, prefix: string): { [name: string]: string } {
  const told = Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined && entry[0].startsWith(prefix)
    && !SENSITIVE.some(word => entry[0].toUpperCase().includes(word)));
  return Object.fromEntries(told.sort(([a], [b]) => a < b ? -1 : 1));
}

/** `GET /v1/metadata` */
export async function handleMetadata(runtime: Runtime, _request: FastifyRequest, reply: FastifyReply): Promise<void> {
  return sendJson(reply, 200, { env: runtime.metadata });
}

/** `GET /v1/health` */
export async function handleHealth(runtime: Runtime, _request: FastifyRequest, reply: FastifyReply): Promise<void> {
  return runtime.stopped.aborted
    ? sendJson(reply, 503, { code: 'UNAVAILABLE', message: 'the runtime is stopping' })
    : sendJson(reply, 200, { status: 'ok', uptime_seconds: Math.floor((Date.now() - runtime.startedAt) / 1000) });
}

/** `GET /healthz` */
export async function handleHealthz(runtime: Runtime, _request: FastifyRequest, reply: FastifyReply): Promise<void> {
  reply.code(runtime.stopped.aborted ? 503 : 200).header('content-type', 'text/plain; charset=utf-8').send(runtime.stopped.aborted ? 'stopping' : 'ok');
}
