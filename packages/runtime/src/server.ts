import type { IncomingMessage } from 'node:http';
import { createServer as createHttp2Server, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import { Code } from '@connectrpc/connect';
import websocket from '@fastify/websocket';
import { serveHttp2 } from 'agent-sandbox-program';
import fastify, { LogController, type FastifyBaseLogger, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { BodyTooLargeError, messageOf } from './errors.js';
import { grpcHandler, SERVICES, type GrpcHandler } from './grpc/handler.js';
import { sendJson } from './http/json.js';
import { refusalOf } from './http/origin.js';
import { routingTarget } from './http/target.js';
import { openApiDocument } from './openapi.js';
import { handleExecute } from './plain/execute.js';
import { handleDownload, handleExists, handleList, handleUpload } from './plain/files.js';
import { InvalidBodyError } from './plain/validation.js';
import type { Runtime } from './runtime.js';
import { handleDelete, handleGet, handlePost, handlePut } from './sandboxd/files.js';
import { CALLS, handleCall } from './sandboxd/process-json.js';
import { handleSocket, MAX_SOCKET_MESSAGE_BYTES } from './sandboxd/socket.js';
import { handleHealth, handleHealthz, handleMetadata } from './sandboxd/status.js';

type Handler = (runtime: Runtime, request: FastifyRequest, reply: FastifyReply) => Promise<void>;

export interface Route {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';
  readonly url: string;
  readonly handler: Handler;
}

/** Bodies that are answered by the services of gRPC; JSON for processes is our own, see PROTOCOL.md. */
const GRPC_TYPES = /^application\/(grpc|connect\+|proto)/;
const GRPC_PATHS = SERVICES.flatMap(service => service.methods.map(method => `/${service.typeName}/${method.name}`));
const PROCESS_SERVICE = '/process.v1.ProcessService';
/** Headers have to arrive within this time; bodies may take as long as they take. */
const HEADERS_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_MS = 60_000;

/**
 * From Node 24.9 on, only WebSockets are upgraded: some clients (Java's) offer HTTP/2 with their requests, and an upgrade would lose
 * the request's body. Earlier releases ignore the option.
 */
const UPGRADES: object = { shouldUpgradeCallback: (request: IncomingMessage) => request.headers.upgrade?.toLowerCase() === 'websocket' };

const redirect: Handler = async (_, request, reply) => {
  const [path, query] = request.raw.url!.split(/\?(.*)/s);
  // Relative to the host: a Location with the host that the caller sent could lead anywhere.
  reply.code(307).header('location', `${path}/${query === undefined ? '' : `?${query}`}`).send();
};

/** Health, metrics and the description, which every runtime has. */
export const COMMON_ROUTES: readonly Route[] = [
  { method: 'GET', url: '/', handler: async (_, __, reply) => sendJson(reply, 200, { status: 'ok', message: 'Sandbox Runtime is active.' }) },
  { method: 'GET', url: '/healthz', handler: handleHealthz },
  { method: 'GET', url: '/metrics', handler: handleMetrics },
  { method: 'GET', url: '/openapi.json', handler: async (runtime, _, reply) => sendJson(reply, 200, openApiDocument(runtime.options)) },
];

/** Commands and files. */
export const COMMAND_ROUTES: readonly Route[] = [
  { method: 'POST', url: '/execute', handler: handleExecute },
  { method: 'POST', url: '/upload', handler: handleUpload },
  { method: 'GET', url: '/download/', handler: handleDownload },
  { method: 'GET', url: '/list/', handler: handleList },
  { method: 'GET', url: '/exists/', handler: handleExists },
  { method: 'GET', url: '/download', handler: redirect },
  { method: 'GET', url: '/list', handler: redirect },
  { method: 'GET', url: '/exists', handler: redirect },
  { method: 'GET', url: '/v1/files/', handler: handleGet },
  { method: 'HEAD', url: '/v1/files/', handler: handleGet },
  { method: 'PUT', url: '/v1/files/', handler: handlePut },
  { method: 'POST', url: '/v1/files/', handler: handlePost },
  { method: 'DELETE', url: '/v1/files/', handler: handleDelete },
  { method: 'GET', url: '/v1/health', handler: handleHealth },
  { method: 'GET', url: '/v1/metadata', handler: handleMetadata },
  ...Object.entries(CALLS).map(([name, call]): Route => ({
    method: 'POST', url: `${PROCESS_SERVICE}/${name}`, handler: (runtime, request, reply) => handleCall(call, runtime, request, reply),
  })),
];

/** The HTTP server of a runtime, not listening yet. */
export async function createServer(runtime: Runtime, routes: readonly Route[]): Promise<FastifyInstance> {
  const server = fastify({
    loggerInstance: runtime.options.logger as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    exposeHeadRoutes: false,
    rewriteUrl: (request: IncomingMessage) => routingTarget(request),
    routerOptions: { onBadUrl: (_path, _request, reply) => void sendRaw(reply as unknown as FastifyReply) },
    requestTimeout: 0,
    keepAliveTimeout: KEEP_ALIVE_MS,
    http: { headersTimeout: HEADERS_TIMEOUT_MS, connectionsCheckingInterval: 5000, ...UPGRADES },
    forceCloseConnections: 'idle',
    return503OnClosing: false,
  });
  // Bodies are read by the route that knows their type.
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
  server.addHook('onRequest', async (request, reply) => {
    const refusal = refuse(runtime, request.raw);
    if (refusal !== undefined) {
      request.raw.resume();
      sendJson(reply.header('connection', 'close'), refusal.status, { detail: refusal.detail });
      return reply;
    }
    return undefined;
  });
  server.addHook('onSend', async (request, reply) => {
    if (runtime.stopped.aborted) {
      // A connection that stays open would hold the process until its time to stop is over.
      reply.header('connection', 'close');
    }
    if (request.headers.upgrade !== undefined) {
      // Node has handed the connection of a request to upgrade over, and does not end it after another answer.
      reply.header('connection', 'close');
      reply.raw.once('finish', () => request.raw.socket.destroySoon());
    }
  });
  server.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'none';
    runtime.metrics.requestEnded(request.method, route, reply.statusCode, reply.elapsedTime / 1000);
    // Neither paths of files nor commands: they may carry secrets.
    request.log.info({ method: request.method, route, status: reply.statusCode, ms: Math.round(reply.elapsedTime) }, 'request');
  });
  server.setErrorHandler((error, request, reply) => fail(error, request, reply));
  server.setNotFoundHandler((request, reply) => notFound(routes, request, reply));
  await server.register(websocket, { options: { maxPayload: MAX_SOCKET_MESSAGE_BYTES } });
  const commands = routes.some(route => route.url === `${PROCESS_SERVICE}/Start`);
  const grpc = commands ? grpcHandler(runtime) : undefined;
  for (const { method, url, handler } of routes) {
    server.route({ method, url, handler: respond(grpc === undefined ? handler : orGrpc(handler, grpc), runtime) });
  }
  if (grpc !== undefined) {
    for (const url of GRPC_PATHS.filter(each => !routes.some(route => route.url === each))) {
      server.route({ method: 'POST', url, handler: respond(async (_, request, reply) => handOver(grpc, request, reply), runtime) });
    }
    const http2 = createHttp2Server((request, response) => answerHttp2(runtime, grpc, request, response));
    const end = serveHttp2(server.server, http2, { firstByteTimeoutMs: HEADERS_TIMEOUT_MS });
    server.addHook('preClose', async () => end());
    server.route({
      method: 'GET',
      url: `${PROCESS_SERVICE}/Start`,
      handler: respond(async (_, request, reply) => notFound(routes, request, reply), runtime),
      wsHandler: socket => handleSocket(runtime, socket),
    });
  }
  return server;
}

/** Leaves a request whose body is a message of gRPC, gRPC-Web or Connect to the services. */
function orGrpc(handler: Handler, grpc: GrpcHandler): Handler {
  return async (runtime, request, reply) => {
    const isCall = GRPC_TYPES.test(request.headers['content-type'] ?? '') && GRPC_PATHS.includes(request.url.split('?')[0]!);
    return isCall ? handOver(grpc, request, reply) : handler(runtime, request, reply);
  };
}

function handOver(grpc: GrpcHandler, request: FastifyRequest, reply: FastifyReply): void {
  reply.hijack();
  grpc(request.raw, reply.raw);
}

function answerHttp2(runtime: Runtime, grpc: GrpcHandler, request: Http2ServerRequest, response: Http2ServerResponse): void {
  const started = performance.now();
  const path = request.url.split('?')[0]!;
  const route = GRPC_PATHS.includes(path) ? path : 'none';
  response.once('close', () => {
    const seconds = (performance.now() - started) / 1000;
    runtime.metrics.requestEnded(request.method, route, response.statusCode, seconds);
    runtime.options.logger.info({ method: request.method, route, status: response.statusCode, ms: Math.round(seconds * 1000) }, 'request');
  });
  const refusal = refuse(runtime, request);
  if (refusal !== undefined) {
    request.resume();
    if (/^application\/grpc(?!-web)/.test(request.headers['content-type'] ?? '')) {
      // Clients of gRPC leave the body of another status unread, and with it the stream and its connection open.
      const code = refusal.status === 401 ? Code.Unauthenticated : Code.PermissionDenied;
      response.stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': String(code), 'grpc-message': encodeURIComponent(refusal.detail) }, { endStream: true });
      return;
    }
    response.writeHead(refusal.status, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ detail: refusal.detail }));
    return;
  }
  grpc(request, response);
}

/** Whether a request is refused before anything is done for it: it comes from a web page, or lacks the token. */
function refuse(runtime: Runtime, { url, headers }: Pick<IncomingMessage, 'url' | 'headers'>): { readonly status: number; readonly detail: string } | undefined {
  const page = refusalOf(headers, runtime.options.allowedOrigins);
  if (page !== undefined) {
    return { status: 403, detail: page };
  }
  const token = runtime.options.token?.refusalOf(url, headers);
  return token === undefined ? undefined : { status: 401, detail: token };
}

function respond(handler: Handler, runtime: Runtime) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    await handler(runtime, request, reply);
    return reply;
  };
}

function fail(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  if (error instanceof InvalidBodyError) {
    return sendJson(reply, 422, { detail: error.detail });
  }
  if (error instanceof BodyTooLargeError) {
    return sendJson(reply.header('connection', 'close'), 413, { detail: error.message });
  }
  const status = (error as { statusCode?: unknown }).statusCode;
  if (typeof status === 'number' && status >= 400 && status < 500) {
    return sendJson(reply, status, { detail: messageOf(error) });
  }
  request.log.error({ err: error }, 'a request failed');
  return sendJson(reply, 500, { detail: 'Internal Server Error' });
}

function notFound(routes: readonly Route[], request: FastifyRequest, reply: FastifyReply): void {
  request.raw.resume();
  const path = request.url.split('?')[0]!;
  const methods = routes.filter(route => route.url === path).map(route => route.method);
  return methods.length === 0
    ? sendJson(reply, 404, { detail: 'Not Found' })
    : sendJson(reply.header('allow', methods.join(', ')), 405, { detail: 'Method Not Allowed' });
}

function sendRaw(reply: FastifyReply): void {
  void sendJson(reply, 404, { detail: 'Not Found' });
}

async function handleMetrics(runtime: Runtime, _request: FastifyRequest, reply: FastifyReply): Promise<void> {
  reply.header('content-type', runtime.metrics.registry.contentType).send(await runtime.metrics.registry.metrics());
}
