import type { FastifyReply } from 'fastify';

/**
 * Answers with JSON. As bytes, so that the content type stays as other servers of this API write it: without a charset.
 *
 * Nothing that sends an answer returns the reply: it is a thenable that settles when the answer has been sent, which an `await` on the
 * way would wait for.
 */
export function sendJson(reply: FastifyReply, status: number, body: unknown): void {
  reply.code(status).header('content-type', 'application/json').send(Buffer.from(JSON.stringify(body)));
}
