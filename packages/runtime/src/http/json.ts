import type { FastifyReply } from 'fastify';

/** Answers with JSON. As bytes, so that the content type stays as other servers of this API write it: without a charset. */
export function sendJson(reply: FastifyReply, status: number, body: unknown): FastifyReply {
  return reply.code(status).header('content-type', 'application/json').send(Buffer.from(JSON.stringify(body)));
}
