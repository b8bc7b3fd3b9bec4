import { toBinary, type DescFile } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { Code, type ServiceImpl } from '@connectrpc/connect';
import { file_grpc_reflection_v1_reflection, type ServerReflection, type ServerReflectionRequest } from '../proto/grpc/reflection/v1/reflection_pb.js';

/**
 * `grpc.reflection.v1.ServerReflection` for the services of some files. There is no library of it for Connect; it is a lookup in
 * descriptors that are there anyway.
 */
export function reflectionService(services: readonly DescFile[]): ServiceImpl<typeof ServerReflection> {
  const files = new Map<string, DescFile>();
  const add = (file: DescFile): void => {
    files.set(file.proto.name, file);
    file.dependencies.forEach(add);
  };
  [...services, file_grpc_reflection_v1_reflection].forEach(add);
  const symbols = new Map([...files.values()].flatMap(file => symbolsOf(file).map(symbol => [symbol, file] as const)));
  const names = [...files.values()].flatMap(file => file.services.map(each => each.typeName)).sort();

  return {
    async* serverReflectionInfo(requests) {
      for await (const request of requests) {
        yield { validHost: request.host, originalRequest: request, messageResponse: answerOf(request) };
      }
    },
  };

  function answerOf({ messageRequest: { case: kind, value } }: ServerReflectionRequest) {
    switch (kind) {
      case 'listServices':
        return { case: 'listServicesResponse' as const, value: { service: names.map(name => ({ name })) } };
      case 'fileByFilename':
        return fileAnswer(files.get(value), `file '${value}'`);
      case 'fileContainingSymbol':
        return fileAnswer(symbols.get(value), `symbol '${value}'`);
      case 'fileContainingExtension':
      case 'allExtensionNumbersOfType':
        return failure(Code.NotFound, 'there are no extensions');
      default:
        return failure(Code.Unimplemented, 'unknown request');
    }
  }
}

function fileAnswer(file: DescFile | undefined, what: string) {
  return file === undefined
    ? failure(Code.NotFound, `${what} not found`)
    : { case: 'fileDescriptorResponse' as const, value: { fileDescriptorProto: withImports(file).map(each => toBinary(FileDescriptorProtoSchema, each.proto)) } };
}

function failure(errorCode: Code, errorMessage: string) {
  return { case: 'errorResponse' as const, value: { errorCode, errorMessage } };
}

function withImports(file: DescFile, seen = new Set<DescFile>()): DescFile[] {
  seen.add(file);
  file.dependencies.filter(each => !seen.has(each)).forEach(each => withImports(each, seen));
  return [...seen];
}

/** Services, their methods, messages and enumerations by full name. */
function symbolsOf(file: DescFile): string[] {
  return [
    ...file.services.flatMap(service => [service.typeName, ...service.methods.map(method => `${service.typeName}.${method.name}`)]),
    ...file.enums.map(each => each.typeName),
    ...file.messages.flatMap(each => [each, ...each.nestedMessages, ...each.nestedEnums].map(one => one.typeName)),
  ];
}
