import { Server, ServerCredentials, type UntypedHandleCall } from '@grpc/grpc-js';

/** A span as it was exported, as far as tests look at it. */
export interface ExportedSpan {
  readonly name: string;
  /** In hexadecimal digits. */
  readonly traceId: string;
}

/** Takes traces over gRPC on loopback, as an OpenTelemetry collector does. */
export class TraceReceiver {
  public static async start(): Promise<TraceReceiver> {
    const server = new Server();
    const spans: ExportedSpan[] = [];
    const handle: UntypedHandleCall = (call: { request: Buffer }, answer: (error: null, response: Buffer) => void) => {
      spans.push(...spansOf(call.request));
      answer(null, Buffer.alloc(0));
    };
    const asIs = (bytes: Buffer) => bytes;
    server.addService({
      Export: {
        path: '/opentelemetry.proto.collector.trace.v1.TraceService/Export', requestStream: false, responseStream: false,
        requestSerialize: asIs, requestDeserialize: asIs, responseSerialize: asIs, responseDeserialize: asIs,
      },
    }, { Export: handle });
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound)));
    });
    return new TraceReceiver(server, `http://127.0.0.1:${port}`, spans);
  }

  private constructor(private readonly server: Server, public readonly endpoint: string, public readonly spans: readonly ExportedSpan[]) {}

  public stop(): void {
    this.server.forceShutdown();
  }
}

/** The spans of an `ExportTraceServiceRequest`: by field numbers, resource_spans 1, scope_spans 2, spans 2; trace_id 1, name 5. */
function spansOf(request: Buffer): ExportedSpan[] {
  return fields(request, 1).flatMap(resource => fields(resource, 2)).flatMap(scope => fields(scope, 2)).map(span => ({
    name: fields(span, 5)[0]!.toString('utf8'), traceId: fields(span, 1)[0]!.toString('hex'),
  }));
}

/** The values of a field of a protobuf message that have a length: messages, strings and bytes. */
function fields(message: Buffer, wanted: number): Buffer[] {
  const found: Buffer[] = [];
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = message[at++]!;
      value += (byte & 127) * factor;
      if (byte < 128) {
        return value;
      }
    }
  };
  while (at < message.length) {
    const key = varint();
    const [field, type] = [Math.floor(key / 8), key % 8];
    if (type === 2) {
      const length = varint();
      if (field === wanted) {
        found.push(message.subarray(at, at + length));
      }
      at += length;
    } else if (type === 0) {
      varint();
    } else {
      at += type === 1 ? 8 : 4;
    }
  }
  return found;
}
