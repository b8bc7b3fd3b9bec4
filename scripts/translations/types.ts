import * as fs from 'node:fs';
import * as path from 'node:path';

/** A type of a library, with what its translations need to know. */
export interface LibraryType {
  readonly name: string;
  readonly kind: 'class' | 'enum' | 'interface';
  /** A plain object of props. */
  readonly struct: boolean;
  /** Names and counts of parameters of methods; the constructor is `new`. */
  readonly parameters: ReadonlyMap<string, number>;
  readonly java: string;
  readonly go: { readonly module: string; readonly alias: string };
}

interface AssemblyType {
  readonly name: string;
  readonly namespace?: string;
  readonly kind: 'class' | 'enum' | 'interface';
  readonly datatype?: boolean;
  readonly initializer?: { readonly parameters?: readonly unknown[] };
  readonly methods?: ReadonlyArray<{ readonly name: string; readonly parameters?: readonly unknown[] }>;
}

interface Assembly {
  readonly name: string;
  readonly version: string;
  readonly targets: { readonly java: { readonly package: string }; readonly go: { readonly moduleName: string; readonly packageName?: string } };
  readonly types: { readonly [fqn: string]: AssemblyType };
}

/** The types of the library and of cdk8s, by name; of two with one name, that of the library. Submodules are left out. */
export function libraries(root: string): Map<string, LibraryType> {
  const folders = [root, path.dirname(require.resolve('cdk8s/package.json', { paths: [root] }))];
  const types = new Map<string, LibraryType>();
  for (const { version, name, targets, types: own } of folders.map(folder => JSON.parse(fs.readFileSync(path.join(folder, '.jsii'), 'utf8')) as Assembly)) {
    const major = Number(version.split('.')[0]);
    const alias = targets.go.packageName ?? name.replace(/[^a-z0-9]/g, '');
    const go = { module: `${targets.go.moduleName}/${alias}${major > 1 ? `/v${major}` : ''}`, alias };
    for (const type of Object.values(own).filter(({ namespace, name: typeName }) => namespace === undefined && !types.has(typeName))) {
      types.set(type.name, {
        name: type.name, kind: type.kind, struct: type.datatype === true, java: `${targets.java.package}.${type.name}`, go,
        parameters: new Map([
          ...(type.methods ?? []).map(method => [method.name, method.parameters?.length ?? 0] as const),
          ['new', type.initializer?.parameters?.length ?? 0] as const,
        ]),
      });
    }
  }
  return types;
}
