import type { FastifyReply, FastifyRequest } from 'fastify';
import type { AgentOptions } from '../computer-use/agent.js';
import { readBody } from '../files/multipart.js';
import { sendJson } from '../http/json.js';
import type { Runtime } from '../runtime.js';
import type { Route } from '../server.js';
import { parseAgent } from './validation.js';

const MAX_QUERY_BYTES = 1024 * 1024;

/** `POST /agent`, one run at a time: each has a browser of its own. */
export function agentRoute(options: AgentOptions): Route {
  let running = false;
  const handler = async (runtime: Runtime, request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const query = parseAgent(await readBody(request.raw, MAX_QUERY_BYTES), request.headers['content-type']);
    if (running || runtime.stopped.aborted) {
      const message = running ? 'a run is going on already: try again when it has ended' : 'the runtime is stopping';
      sendJson(reply.header('retry-after', '5'), 503, { message });
      return;
    }
    running = true;
    try {
      const hangUp = new AbortController();
      reply.raw.once('close', () => hangUp.abort());
      // Loaded when it is needed: the library of the model is larger than everything else.
      const { runAgent } = await import('../computer-use/agent.js');
      sendJson(reply, 200, await runAgent(query, options, AbortSignal.any([hangUp.signal, runtime.stopped])));
    } finally {
      running = false;
    }
  };
  return { method: 'POST', url: '/agent', handler };
}
