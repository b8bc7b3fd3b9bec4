import type { FastifyReply, FastifyRequest } from 'fastify';
import { sendJson } from '../http/json.js';
import type { Runtime } from '../runtime.js';

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
