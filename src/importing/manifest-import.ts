import { isDeepStrictEqual } from 'node:util';
import { ApiObject, App, Chart } from 'cdk8s';
import type { Construct } from 'constructs';
import * as l1 from '../../imports';
import { checkCalls, Problems } from '../checks';
import { checkManifests, FindingSeverity, treeFindings } from '../findings';
import { SandboxClaim, SandboxWarmPool } from '../kinds';
import { Code, print, quoted, valueOf } from './code';
import { layerOneClass, layerOneSpec } from './layer-one';
import { layerTwoProps } from './layer-two';

/** A manifest and where it was found: `folder/file.yaml:12`. */
interface Located {
  readonly manifest: any;
  readonly place: string;
}

/** Fields that the API server writes. */
const SERVER_METADATA: readonly string[] = ['creationTimestamp', 'generation', 'managedFields', 'resourceVersion', 'selfLink', 'uid'];
const CONSTRUCTS: Readonly<Record<string, new (scope: Construct, id: string, props: any) => Construct>> = { SandboxWarmPool, SandboxClaim };

/** Turns manifests that were written by hand into constructs. */
export class ManifestImport {
  /**
   * A program in TypeScript that synthesizes to the same objects. Pools and claims become constructs of this library where that loses nothing,
   * and all other kinds of this API constructs of `l1`: the constructs for Pods would add their secure defaults. Objects of other APIs become
   * instances of `ApiObject`. What only the API server writes, such as `status`, is left out.
   *
   * @param manifests objects of Kubernetes; lists are opened
   * @throws if one of them is not an object of Kubernetes
   */
  public static toTypeScript(manifests: any[]): string {
    return importedProgram(manifests.map(manifest => ({ manifest, place: 'imported' })));
  }

  private constructor() {}
}
checkCalls(ManifestImport);

/**
 * The program of manifests: a chart for each file.
 *
 * @throws if one of them is not an object of Kubernetes
 * @internal
 */
export function importedProgram(located: readonly Located[]): string {
  const objects = located.flatMap(opened).map(({ manifest, place }) => ({ manifest: withoutServerFields(manifest), place }));
  checkObjects(objects);
  const fileOf = (place: string) => place.replace(/:\d+$/, '');
  const paths = [...new Set(objects.map(({ place }) => fileOf(place)))];
  const names = fromCommonFolder(paths);
  const short = new Map(paths.map((path, index) => [path, names[index]]));
  const files = new Map<string, any[]>();
  for (const { manifest, place } of objects) {
    const file = short.get(fileOf(place))!;
    files.set(file, [...(files.get(file) ?? []), manifest]);
  }
  // Constructs of this library check the whole app at synthesis, where the findings of the manifests would be errors.
  const program = new Program(files, true);
  return treeFindings(program.app).length === 0 ? program.text() : new Program(files, false).text();
}

function opened({ manifest, place }: Located): Located[] {
  return manifest?.kind === 'List' && Array.isArray(manifest.items) ? manifest.items.flatMap((item: any) => opened({ manifest: item, place })) : [{ manifest, place }];
}

function checkObjects(objects: readonly Located[]): void {
  const problems = Problems.of('import');
  objects.forEach(({ manifest, place }) => {
    for (const [field, value] of [['apiVersion', manifest?.apiVersion], ['kind', manifest?.kind], ['metadata.name', manifest?.metadata?.name]]) {
      if (typeof value !== 'string' || value === '') {
        problems.add(`${field} of the object at ${place}`, value, 'write a string, as each object of Kubernetes has one');
      }
    }
  });
  problems.throwIfAny();
}

function withoutServerFields(manifest: any): any {
  if (typeof manifest !== 'object' || manifest === null) {
    return manifest;
  }
  const object = withoutKeys(withoutNull(manifest), ['status']);
  return { ...object, metadata: withoutKeys(object.metadata ?? {}, SERVER_METADATA) };
}

function withoutKeys(object: any, keys: readonly string[]): any {
  return Object.fromEntries(Object.entries(object).filter(([key]) => !keys.includes(key)));
}

/** The API server drops fields that are null. */
function withoutNull(value: any): any {
  if (Array.isArray(value)) {
    return value.map(withoutNull);
  }
  return typeof value === 'object' && value !== null
    ? Object.fromEntries(Object.entries(value).filter(([, item]) => item !== null).map(([key, item]) => [key, withoutNull(item)]))
    : value;
}

/** The program, made as text and as constructs at the same time. */
class Program {
  public readonly app = new App({ outdir: '.' });
  private readonly names = new Set<string>(['app']);
  private readonly chartIds = new Set<string>();
  private readonly body: string[] = [];
  private readonly warnings: string[] = [];

  public constructor(files: ReadonlyMap<string, any[]>, private readonly layerTwo: boolean) {
    // The rules tell objects apart by their places.
    const located = [...files].flatMap(([file, manifests]) => manifests.map((manifest, index) => ({ manifest, place: `${file}#${index}` })));
    const errors = checkManifests(located).filter(({ severity }) => severity === FindingSeverity.ERROR);
    this.warnings.push(...errors.map(({ rule, object, field }) => `// ${rule}: ${object}: ${field}`.replace(/\s+/g, ' ')));
    for (const [file, manifests] of files) {
      this.addChart(file, manifests);
    }
  }

  public text(): string {
    const code = this.body.join('\n');
    const used = (names: readonly string[]) => names.filter(name => new RegExp(`(?<![\\w.'])${name}\\b(?=[.(])`).test(code));
    const cdk8s = ['App', ...used(['ApiObject', 'Chart', 'Duration'])].sort();
    const own = used(['AgentSandboxVersion', 'Lifetime', 'PersistentVolumeAccessMode', 'SandboxClaim', 'SandboxTemplate', 'SandboxVolume', 'SandboxWarmPool', 'ShutdownPolicy', 'UpdateStrategy', 'l1']);
    return [
      `import { ${cdk8s.join(', ')} } from 'cdk8s';`,
      ...(own.length > 0 ? [`import { ${own.join(', ')} } from 'cdk8s-agent-sandbox';`] : []),
      '',
      ...(this.warnings.length > 0 ? [`// agent-sandbox-check finds ${this.warnings.length} ${this.warnings.length === 1 ? 'error' : 'errors'} in these manifests:`, ...this.warnings, ''] : []),
      'const app = new App();',
      code,
      '',
      'app.synth();',
      '',
    ].join('\n');
  }

  private addChart(file: string, manifests: readonly any[]): void {
    const slug = file.replace(/\.(ya?ml|json)$/, '').toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-+|-+$/g, '') || 'imported';
    const id = unique(this.chartIds, slug, '-');
    const variable = unique(this.names, camelCase(id), '');
    // Objects without a namespace would get that of their chart.
    const namespaces = new Set<string | undefined>(manifests.map(({ metadata }) => metadata.namespace));
    const [namespace] = namespaces.size === 1 ? namespaces : [];
    const chart = new Chart(this.app, id, { namespace });
    this.body.push('', ...(file === slug ? [] : [`// ${file}`]), `const ${variable} = new Chart(app, ${quoted(id)}${namespace === undefined ? '' : `, ${print({ namespace })}`});`);
    const pools = new Map<string, Code>();
    const ids = new Set<string>();
    // Pools before the claims that take from them.
    const ordered = [...manifests].sort((a, b) => Number(a.kind === 'SandboxClaim') - Number(b.kind === 'SandboxClaim'));
    for (const manifest of ordered) {
      const { kind, metadata: { name } } = manifest;
      const base = ids.has(name) ? `${name}-${kind.toLowerCase()}` : name;
      const objectId = [base, ...Array.from({ length: ids.size }, (_, index) => `${base}-${index + 2}`)].find(each => !ids.has(each))!;
      ids.add(objectId);
      const own = this.layerTwo ? this.construct(chart, variable, objectId, manifest, namespace, pools, ordered) : undefined;
      this.body.push(own ?? this.plain(chart, variable, objectId, manifest, namespace));
    }
  }

  /** A pool or claim as a construct of this library, if that says exactly the same. */
  private construct(
    chart: Chart, variable: string, id: string, manifest: any, namespace: string | undefined, pools: Map<string, Code>, all: readonly any[],
  ): string | undefined {
    const { kind, metadata } = manifest;
    if (!Object.hasOwn(CONSTRUCTS, kind) || layerOneClass(manifest) === undefined) {
      return undefined;
    }
    const key = (name: string) => `${metadata.namespace}/${name}`;
    let construct: Construct | undefined;
    try {
      const own = layerTwoProps(manifest, name => pools.get(key(name)));
      if (!own) {
        return undefined;
      }
      const { name: ownName, namespace: ownNamespace } = metadata;
      const props = { name: id === ownName ? undefined : ownName, namespace: namespace === undefined ? ownNamespace : undefined, ...own };
      construct = new CONSTRUCTS[kind](chart, id, defined(valueOf(props)));
      if (isDeepStrictEqual(ApiObject.of(construct).toJson(), manifest)) {
        const claimed = kind === 'SandboxWarmPool' && all.some(each => each.kind === 'SandboxClaim' && each.metadata.namespace === metadata.namespace && each.spec?.warmPoolRef?.name === metadata.name);
        const name = claimed ? unique(this.names, camelCase(metadata.name), '') : undefined;
        if (name) {
          pools.set(key(metadata.name), new Code(name, construct));
        }
        return `${name ? `const ${name} = ` : ''}new ${kind}(${variable}, ${quoted(id)}, ${print(props)});`;
      }
    } catch {
      // What the construct refuses stays as it is.
    }
    chart.node.tryRemoveChild(id);
    return undefined;
  }

  /** An object as an L1 construct, or as it is. */
  private plain(chart: Chart, variable: string, id: string, manifest: any, namespace: string | undefined): string {
    const { apiVersion, kind, metadata, ...rest } = manifest;
    const shown = namespace === undefined ? metadata : withoutKeys(metadata, ['namespace']);
    const className = layerOneClass(manifest);
    const isKnown = className !== undefined && Object.keys(rest).every(key => key === 'spec')
      && checkManifests([{ manifest, place: '' }]).every(({ rule }) => !SCHEMA_RULES.includes(rule));
    const props = isKnown ? { metadata: shown, spec: layerOneSpec(kind, rest.spec) } : { apiVersion, kind, metadata: shown, ...rest };
    if (isKnown) {
      new (l1 as any)[className](chart, id, valueOf(props));
    } else {
      new ApiObject(chart, id, valueOf(props));
    }
    return `new ${isKnown ? `l1.${className}` : 'ApiObject'}(${variable}, ${quoted(id)}, ${print(props)});`;
  }
}

function unique(taken: Set<string>, name: string, separator: string): string {
  let result = name;
  for (let count = 2; taken.has(result); count++) {
    result = `${name}${separator}${count}`;
  }
  taken.add(result);
  return result;
}

/** Paths from the folder that all of them are in. */
function fromCommonFolder(paths: readonly string[]): string[] {
  const folders = paths.map(path => path.split('/').slice(0, -1));
  const [first = []] = folders;
  const common = first.findIndex((folder, index) => !folders.every(each => each[index] === folder));
  return paths.map(path => path.split('/').slice(common < 0 ? first.length : common).join('/'));
}

/** Rules that say that a manifest does not fit the types of its kind. */
const SCHEMA_RULES: readonly string[] = ['unknown-field', 'missing-field', 'wrong-type', 'wrong-value'];

function defined(props: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(props).filter(([, value]) => value !== undefined));
}

const WORDS: readonly string[] = ['default', 'new', 'class', 'function', 'import', 'export', 'const', 'let', 'var', 'delete', 'in', 'for', 'if', 'else', 'do', 'while', 'switch', 'case', 'this', 'null', 'true', 'false', 'void', 'with', 'enum', 'try', 'catch', 'finally', 'return', 'throw', 'typeof', 'super', 'yield', 'await', 'break', 'continue', 'debugger', 'extends', 'instanceof', 'l1'];

function camelCase(name: string): string {
  const text = name.replace(/[^A-Za-z0-9]+(.)?/g, (_, letter?: string) => letter?.toUpperCase() ?? '').replace(/^[A-Z]/, letter => letter.toLowerCase());
  return /^\d/.test(text) || WORDS.includes(text) ? `the${text[0].toUpperCase()}${text.slice(1)}` : text;
}
