import { REST_DOCUMENT, type RestProblemError } from 'agent-sandbox-api';
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import { Problem } from './problem.js';

/** What the document says, as far as it is needed here. */
interface Document {
  readonly paths: { readonly [path: string]: { readonly [method: string]: DocumentOperation } };
  readonly components: { readonly parameters: { readonly [name: string]: DocumentParameter } };
}
interface DocumentOperation {
  readonly operationId: string;
  readonly parameters?: readonly { readonly $ref: string }[];
  readonly requestBody?: { readonly content: { readonly 'application/json': { readonly schema: { readonly $ref: string } } } };
}
interface DocumentParameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly schema: { readonly type?: string; readonly default?: unknown };
}
interface Parameter extends DocumentParameter {
  readonly validate: ValidateFunction;
}

/** The values of the parameters of a request, by their names. */
export type Parameters = Readonly<Record<string, string | number | undefined>>;

/** One method of one path, with what checks its requests. */
export interface Operation {
  readonly id: string;
  readonly parameters: readonly Parameter[];
  /** Absent: the request has no body. */
  readonly validateBody?: ValidateFunction;
}

interface Path {
  readonly pattern: RegExp;
  /** Of the parameters, in the order of the groups of the pattern. */
  readonly names: readonly string[];
  readonly methods: ReadonlyMap<string, Operation>;
}

const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/i;
/** Errors that a problem lists at most. */
const MOST_ERRORS = 10;

/** Routes and checks requests by the OpenAPI document. */
export class Operations {
  private readonly paths: readonly Path[];

  constructor() {
    const document = REST_DOCUMENT as unknown as Document;
    const isTime = (text: string) => RFC_3339.test(text) && !Number.isNaN(Date.parse(text));
    const ajv = new Ajv2020({ allErrors: true, strict: false, verbose: true, formats: { 'date-time': isTime } });
    ajv.addSchema(document as object, 'api', false, false);
    const compiled = (reference: string) => ajv.getSchema(`api${reference}`)!;
    const read = ({ operationId: id, parameters = [], requestBody }: DocumentOperation): Operation => ({
      id,
      parameters: parameters.map(({ $ref }) => ({ ...document.components.parameters[$ref.split('/').at(-1)!]!, validate: compiled(`${$ref}/schema`) })),
      ...(requestBody && { validateBody: compiled(requestBody.content['application/json'].schema.$ref) }),
    });
    this.paths = Object.entries(document.paths).map(([path, methods]) => ({
      pattern: new RegExp(`^${path.replaceAll('.', '\\.').replace(/\{\w+\}/g, '([^/]+)')}$`),
      names: [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!),
      methods: new Map(Object.entries(methods).map(([method, operation]) => [method.toUpperCase(), read(operation)])),
    }));
  }

  /** The operation of a request and its parameters. Throws a 404 or a 405, and a 400 for parameters that the document does not allow. */
  public find(method: string, target: string, headers: readonly string[]): { readonly operation: Operation; readonly parameters: Parameters } {
    const [path, query = ''] = split(target);
    for (const { pattern, names, methods } of this.paths) {
      const match = pattern.exec(path);
      if (match) {
        const operation = methods.get(method);
        if (operation === undefined) {
          throw new Problem(405, 'MethodNotAllowed', `This path has no method ${method}.`, { allow: [...methods.keys()].join(', ') });
        }
        return { operation, parameters: read(operation, new Map(names.map((name, i) => [name, match[i + 1]!])), query, headers) };
      }
    }
    throw new Problem(404, 'NotFound', 'There is no such path; see /v1/openapi.json.');
  }
}

function split(target: string): string[] {
  const at = target.indexOf('?');
  return at < 0 ? [target] : [target.slice(0, at), target.slice(at + 1)];
}

function read({ parameters }: Operation, ofPath: ReadonlyMap<string, string>, query: string, headers: readonly string[]): Parameters {
  const ofQuery = new URLSearchParams(query);
  const unknown = [...ofQuery.keys()].find(name => !parameters.some(each => each.in === 'query' && each.name === name));
  if (unknown !== undefined) {
    throw wrong([{ pointer: unknown, detail: 'This operation has no such parameter.' }]);
  }
  const errors: RestProblemError[] = [];
  const values: Record<string, string | number | undefined> = {};
  for (const { name, in: where, required, schema, validate } of parameters) {
    const given = where === 'path' ? [ofPath.get(name)!] : where === 'query' ? ofQuery.getAll(name) : headerValues(headers, name);
    if (given.length > 1) {
      errors.push({ pointer: name, detail: 'It is given twice.' });
    } else if (given.length === 0) {
      values[name] = schema.default as number | undefined;
      if (required) {
        errors.push({ pointer: name, detail: 'It is required.' });
      }
    } else {
      const value = schema.type === 'integer' && /^\d{1,9}$/.test(given[0]!) ? Number(given[0]) : given[0]!;
      values[name] = value;
      if (!validate(value)) {
        errors.push(...errorsOf(validate).map(({ detail }) => ({ pointer: name, detail })));
      }
    }
  }
  if (errors.length > 0) {
    throw wrong(errors);
  }
  return values;
}

function headerValues(headers: readonly string[], name: string): string[] {
  return headers.filter((_, i) => i % 2 === 1 && headers[i - 1]!.toLowerCase() === name.toLowerCase());
}

function wrong(errors: readonly RestProblemError[]): Problem {
  return new Problem(400, 'BadRequest', `The parameters are wrong: ${textOf(errors)}`, {}, errors);
}

/** Throws a 422 that names what is wrong with a body. */
export function checkBody(validate: ValidateFunction, body: unknown): void {
  if (!validate(body)) {
    throw invalid(errorsOf(validate));
  }
}

/** A body that cannot be worked on. */
export function invalid(errors: readonly RestProblemError[]): Problem {
  return new Problem(422, 'Invalid', `The request body is wrong: ${textOf(errors)}`, {}, errors);
}

function textOf(errors: readonly RestProblemError[]): string {
  return errors.map(({ pointer, detail }) => `${pointer || '/'}: ${detail}`).join('; ');
}

function errorsOf({ errors }: ValidateFunction): RestProblemError[] {
  return (errors ?? []).filter(({ schemaPath }) => !/\/oneOf\/\d/.test(schemaPath)).slice(0, MOST_ERRORS).map(errorOf);
}

function errorOf({ keyword, instancePath, params, message, schema }: ErrorObject): RestProblemError {
  switch (keyword) {
    case 'additionalProperties':
      return { pointer: `${instancePath}/${(params.additionalProperty as string).replaceAll('~', '~0').replaceAll('/', '~1').slice(0, 64)}`, detail: 'There is no such field.' };
    case 'oneOf':
      return { pointer: instancePath, detail: `Give exactly one of ${(schema as { required: string[] }[]).flatMap(({ required }) => required).join(' and ')}.` };
    case 'enum':
      return { pointer: instancePath, detail: `It must be one of ${(params.allowedValues as string[]).join(', ')}.` };
    default:
      return { pointer: instancePath, detail: `It ${message}.` };
  }
}
