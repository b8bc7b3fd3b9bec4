import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import { Code, ConnectError, createConnectRouter } from '@connectrpc/connect';
import { compressionBrotli, compressionGzip, universalRequestFromNodeRequest, universalResponseToNodeResponse } from '@connectrpc/connect-node';
import { file_filesystem_v1_filesystem, FilesystemService } from '../proto/filesystem/v1/filesystem_pb.js';
import { ServerReflection } from '../proto/grpc/reflection/v1/reflection_pb.js';
import { file_process_v1_process, ProcessService } from '../proto/process/v1/process_pb.js';
import { file_watcher_v1_watcher, FileWatcherService } from '../proto/watcher/v1/watcher_pb.js';
import type { Runtime } from '../runtime.js';
import { MAX_MESSAGE_BYTES } from '../sandboxd/process.js';
import { filesystemService, watcherService } from './files.js';
import { processService } from './process.js';
import { reflectionService } from './reflection.js';

export type GrpcHandler = (request: IncomingMessage | Http2ServerRequest, response: ServerResponse | Http2ServerResponse) => void;

/** The services of sandboxd. */
export const SERVICES = [ProcessService, FilesystemService, FileWatcherService] as const;

/**
 * Answers calls of the services in gRPC, gRPC-Web and Connect, over HTTP/2 and, but for gRPC itself, HTTP/1.1. Like the adapter of
 * Connect, which writes to the console what fails because a caller has left.
 */
export function grpcHandler(runtime: Runtime): GrpcHandler {
  const router = createConnectRouter({ readMaxBytes: MAX_MESSAGE_BYTES, acceptCompression: [compressionGzip, compressionBrotli] })
    .service(ProcessService, processService(runtime))
    .service(FilesystemService, filesystemService(runtime))
    .service(FileWatcherService, watcherService(runtime))
    .service(ServerReflection, reflectionService([file_process_v1_process, file_filesystem_v1_filesystem, file_watcher_v1_watcher]));
  const handlers = new Map(router.handlers.map(handler => [handler.requestPath, handler]));
  return (request, response) => {
    const handler = handlers.get((request.url ?? '').split('?')[0]!);
    if (handler === undefined) {
      response.writeHead(404, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ detail: 'Not Found' }));
      return;
    }
    handler(universalRequestFromNodeRequest(request, response, undefined, undefined))
      .then(answer => universalResponseToNodeResponse(answer, response))
      .catch((error: unknown) => {
        const left = response.destroyed || response.closed || ConnectError.from(error).code === Code.Aborted;
        runtime.options.logger[left ? 'debug' : 'error']({ err: error, call: handler.requestPath }, 'a call failed');
        response.destroy();
      });
  };
}
