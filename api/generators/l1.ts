import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DEFINITIONS, KINDS, KUBERNETES, OWN, header, reachable } from '../model';
import type { Kind, KindVersion, Schema } from '../schema';
import { enumMember, propertyName, typeName } from './names';
import { docComment, fieldType, isRequired, isScalar, renderType, typeDoc } from './typescript';

/** Types of the construct props: what can be desired. Status is observed, so constructs do not have it. */
const TYPES = reachable(KINDS.map(kind => kind.spec));

function properties(name: string): [string, Schema][] {
  return Object.entries(DEFINITIONS[name].properties ?? {});
}

function enumName(owner: string, property: string): string {
  return typeName(owner) + property[0].toUpperCase() + property.slice(1);
}

function renderEnum(owner: string, property: string, schema: Schema): string {
  return docComment([`Values of \`${property}\` of ${typeName(owner)}.`])
    + `export enum ${enumName(owner, property)} {\n`
    + schema.enum!.map(value => `  /** ${value} */\n  ${enumMember(value)} = '${value}',\n`).join('')
    + '}\n';
}

/** What the API server sets a field to that is left out, in words. */
function serverDefault(owner: string, property: string, schema: Schema): string {
  if (schema.default !== undefined) {
    return `not set; the API server sets ${JSON.stringify(schema.default)}`;
  }
  for (const kind of KINDS.filter(candidate => candidate.spec === owner)) {
    for (const version of kind.versions) {
      if (version.specDefaults && property in version.specDefaults) {
        const required = kind.versions.filter(other => other.specRequired?.includes(property)).map(other => `; ${other.name} requires it`);
        return `not set; the API server sets ${JSON.stringify(version.specDefaults[property])} in ${version.name}${required.join('')}`;
      }
    }
  }
  return 'not set';
}

function renderInterface(name: string): string {
  const schema = DEFINITIONS[name];
  const enums = properties(name).filter(([, property]) => property.enum).map(([property, s]) => renderEnum(name, property, s) + '\n');
  const fields = properties(name).map(([property, s]) => {
    const type = renderType(s, { ref: typeName, enumeration: () => enumName(name, property) });
    const doc = s.description ? [s.description] : [];
    if (doc.length > 0 && !isRequired(schema, property)) {
      doc.push('', `@default - ${serverDefault(name, property, s)}`);
    }
    return docComment(doc, '  ') + `  readonly ${propertyName(property)}${isRequired(schema, property) ? '' : '?'}: ${type};\n`;
  });
  const gap = name in OWN ? '\n' : '';
  return enums.join('') + docComment(typeDoc(name)) + `export interface ${typeName(name)} {\n${fields.join(gap)}}\n`;
}

/** A type that is written as a number or as a string. */
function renderScalar(name: string, example: string): string {
  return `${docComment(typeDoc(name))}export class ${name} {
  /** ${example} */
  public static fromString(value: string): ${name} {
    return new ${name}(value);
  }

  /**
   * A whole number.
   *
   * @throws if the number is not whole: the API server takes fractions as strings only
   */
  public static fromNumber(value: number): ${name} {
    if (!Number.isSafeInteger(value)) {
      throw new Error(\`${name}.fromNumber: value is \${value}: a number must be whole: write '\${value}' with fromString\`);
    }
    return new ${name}(value);
  }

  private constructor(
    /** The value as it is written. */
    public readonly value: any,
  ) {}
}
`;
}

const SCALARS: Readonly<Record<string, string>> = {
  Quantity: "An amount with an optional unit: `'500m'`, `'1Gi'`, `'2'`.",
  IntOrString: "A name: of a port, or a percentage (`'50%'`).",
};

function className(kind: Kind, version: KindVersion): string {
  return version.name === 'v1beta1' ? kind.kind : `${kind.kind}V1Alpha1`;
}

function renderClass(kind: Kind, version: KindVersion): string {
  const name = className(kind, version);
  const props = `${kind.kind}Props`;
  const deprecated = version.name === 'v1beta1' ? [] : ['', `The version \`${version.name}\` is served for clients of the first generation; new manifests use {@link ${kind.kind}}.`];
  return `${docComment([kind.description, ...deprecated, '', `@schema ${kind.group}/${version.name} ${kind.kind}`])}export class ${name} extends ApiObject {
  /** API version and kind of the object. */
  public static readonly GVK: GroupVersionKind = {
    apiVersion: '${kind.group}/${version.name}',
    kind: '${kind.kind}',
  };

  /**
   * The manifest as plain data, for embedding it elsewhere.
   *
   * @param props the object's metadata and specification
   */
  public static manifest(props: ${props}): any {
    return { ...${name}.GVK, ...toWire('${props}', props), ...${name}.GVK };
  }

  private readonly operations: JsonPatch[] = [];

  /**
   * @param scope the scope in which to define this object
   * @param id a name that is unique within the scope
   * @param props the object's metadata and specification
   */
  public constructor(scope: Construct, id: string, props: ${props}) {
    super(scope, id, { ...props, ...${name}.GVK });
  }

  /**
   * Applies RFC 6902 operations to the manifest as Kubernetes sees it: paths use wire names (\`/spec/podTemplate/spec/hostIPC\`),
   * and fields that this library does not know are kept.
   *
   * @param ops the operations, in order
   */
  public addJsonPatch(...ops: JsonPatch[]): void {
    this.operations.push(...ops.map(recorded));
  }

  /** The manifest with wire names, after all patches. */
  public toJson(): any {
    return patched(this, toWire('${props}', super.toJson()), this.operations);
  }
}
`;
}

function renderProps(kind: Kind): string {
  return `${docComment([`Metadata and specification of a ${kind.kind}.`])}export interface ${kind.kind}Props {
  /**
   * Name, namespace, labels and annotations.
   *
   * @default - a name made from the construct's path
   */
  readonly metadata?: ApiObjectMetadata;

  /** ${OWN[kind.spec].description} */
  readonly spec: ${kind.spec};
}
`;
}

/** Which fields of a type have another name on the wire, or a type that has such fields further down. */
function wireTable(): string {
  const interesting = new Map<string, boolean>();
  const needsMapping = (name: string): boolean => {
    if (!interesting.has(name)) {
      interesting.set(name, isScalar(name) || properties(name).some(([property, s]) => {
        const { ref } = fieldType(s);
        return propertyName(property) !== property || (ref !== undefined && needsMapping(ref));
      }));
    }
    return interesting.get(name)!;
  };
  const lines = TYPES.filter(name => !isScalar(name) && needsMapping(name)).map(name => {
    const fields = properties(name).flatMap(([property, s]) => {
      const { ref, shape } = fieldType(s);
      const type = ref && needsMapping(ref) ? `${ref}${{ one: '', list: '[]', map: '{}' }[shape]}` : undefined;
      if (!type && propertyName(property) === property) {
        return [];
      }
      return [`${propertyName(property)}: ['${property}'${type ? `, '${type}'` : ''}]`];
    });
    return `  ${name}: { ${fields.join(', ')} },\n`;
  });
  const props = KINDS.filter(kind => needsMapping(kind.spec)).map(kind => `  ${kind.kind}Props: { spec: ['spec', '${kind.spec}'] },\n`);
  return `{\n${[...props, ...lines].join('')}}`;
}

/** The files below `imports/`. */
export function generateL1(): Record<string, string> {
  const core = TYPES.filter(name => name in KUBERNETES.definitions);
  const scalars = core.filter(isScalar);
  const files: Record<string, string> = {
    'imports/kubernetes.ts': header('//', 'api/kubernetes/definitions.json') + '\n'
      + scalars.map(name => renderScalar(name, SCALARS[name])).join('\n') + '\n'
      + core.filter(name => !isScalar(name)).map(renderInterface).join('\n'),
    'imports/wire.ts': header('//', 'api/generators/wire.template.ts') + '\n'
      + readFileSync(join(__dirname, 'wire.template.ts'), 'utf8').replace('{} as Record<string, WireType>', wireTable())
        .replace("['scalars']", `[${scalars.map(name => `'${name}'`).join(', ')}]`),
  };
  const groups = [...new Set(KINDS.map(kind => kind.group))];
  const owner = new Map<string, string>();
  for (const group of groups) {
    const kinds = KINDS.filter(kind => kind.group === group);
    const own = reachable(kinds.map(kind => kind.spec)).filter(name => name in OWN && !owner.has(name));
    own.forEach(name => owner.set(name, group));
    const body = [
      ...kinds.flatMap(kind => [...kind.versions.map(version => renderClass(kind, version)), renderProps(kind)]),
      ...own.map(renderInterface),
    ].join('\n');
    const elsewhere = (file: string, names: readonly string[]) => {
      const used = names.map(typeName).filter(name => new RegExp(`\\b${name}\\b`).test(body.replace(/\/\*\*[^]*?\*\//g, '')));
      return used.length > 0 ? `import { ${used.join(', ')} } from './${file}';\n` : '';
    };
    files[`imports/${group}.ts`] = header('//', 'api/kinds') + '\n'
      + "import { ApiObject, ApiObjectMetadata, GroupVersionKind, JsonPatch } from 'cdk8s';\nimport { Construct } from 'constructs';\n"
      + groups.filter(other => other !== group).map(other => elsewhere(other, [...owner].filter(([, g]) => g === other).map(([name]) => name))).join('')
      + elsewhere('kubernetes', core)
      + "import { patched, recorded, toWire } from './wire';\n\n"
      + body;
  }
  files['imports/index.ts'] = header('//', 'api/generators/l1.ts') + '\n'
    + [...groups, 'kubernetes'].map(file => `export * from './${file}';\n`).join('');
  return files;
}
