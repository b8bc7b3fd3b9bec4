import { ApiObject } from 'cdk8s';
import type { IConstruct } from 'constructs';
import { append, render, show } from '../checks';
import { EXTENSIONS_GROUP, GROUP } from '../generated/vocabulary.gen';
import { type Finding, FindingSeverity } from './finding';

/** Stands for the name of a manifest without one, such as one with `generateName`. @internal */
export const NO_NAME = '(no name)';

/** An object that is looked at: of a tree of constructs, or of a manifest. @internal */
export class Subject {
  /** An object of a tree. Its manifest is made when a rule asks for it. */
  public static ofApiObject(object: ApiObject): Subject {
    const namespace = object.metadata.namespace;
    // A namespace that is chosen when the manifest is applied can differ from chart to chart.
    return new Subject(object.node.path, object.apiGroup, object.kind, object.name, namespace, namespace ?? `(${object.chart.node.path})`, () => render(object), object.chart.node.path);
  }

  /** An object of a manifest, as it is and, for rules that rely on the shape of its fields, without those of another. */
  public static ofManifest(written: any, place: string, manifest: any = written): Subject {
    const [group, version] = String(manifest.apiVersion ?? '').split('/');
    const namespace = manifest.metadata?.namespace;
    return new Subject(place, version === undefined ? 'core' : group, String(manifest.kind ?? '(no kind)'), String(manifest.metadata?.name ?? NO_NAME), namespace, namespace ?? '', () => manifest, undefined, written);
  }

  private made: any;

  private constructor(
    public readonly place: string,
    public readonly group: string,
    public readonly kind: string,
    public readonly name: string,
    /** The namespace, where it is written. */
    public readonly namespace: string | undefined,
    /** What tells the namespace from others, also where none is written. */
    public readonly namespaceKey: string,
    private readonly make: () => any,
    /** Path of the chart; undefined for manifests. */
    public readonly chart?: string,
    private readonly asWritten?: any,
  ) {}

  /** The manifest as it is, whatever its fields hold. */
  public get written(): any {
    return this.asWritten ?? this.manifest;
  }

  public get manifest(): any {
    this.made ??= this.make();
    return this.made;
  }

  public get spec(): any {
    return this.manifest.spec ?? {};
  }

  /** Whether it is of the Agent Sandbox API. */
  public get isOurs(): boolean {
    return this.group === GROUP || this.group === EXTENSIONS_GROUP;
  }

  /** `SandboxClaim agents/ticket-42`. */
  public get title(): string {
    return `${this.kind} ${this.namespace ? `${this.namespace}/` : ''}${this.name}`;
  }
}

/** A rule: what it is called, and what it looks for. @internal */
export interface Rule {
  readonly id: string;
  readonly severity: FindingSeverity;
  /** What is wrong when it applies, for the table in the documentation. */
  readonly summary: string;
  /** Whether it only makes sense for manifests that the constructs have not written. */
  readonly manifestsOnly?: boolean;
  /** Whether synthesis lets it pass: patches and the constructs of `l1` may write any field. */
  readonly notAtSynth?: boolean;
  readonly check: (world: World, report: Report) => void;
}

/** Notes a finding: `field` and its value, what is wrong, what to do. @internal */
export type Report = (subject: Subject, field: string, value: unknown, message: string, remedy: string) => void;

/** All objects that are looked at together. @internal */
export class World {
  public static ofTree(scope: IConstruct): World {
    return new World(scope.node.findAll().filter((each): each is ApiObject => ApiObject.isApiObject(each)).map(Subject.ofApiObject));
  }

  private readonly byKind = new Map<string, Subject[]>();
  private readonly byName = new Map<string, Subject>();

  public constructor(public readonly subjects: readonly Subject[]) {
    for (const subject of subjects) {
      append(this.byKind, subject.kind, subject);
      const key = `${subject.kind} ${subject.namespaceKey}/${subject.name}`;
      if (!this.byName.has(key)) {
        this.byName.set(key, subject);
      }
    }
  }

  public of(kind: string): readonly Subject[] {
    return this.byKind.get(kind) ?? [];
  }

  /** The object of a kind and name in the namespace of another. */
  public beside(subject: Subject, kind: string, name: string | undefined, namespace?: string): Subject | undefined {
    return this.byName.get(`${kind} ${namespace ?? subject.namespaceKey}/${name}`);
  }

  /** Objects of a kind and name in other namespaces, all of them written. */
  public elsewhere(subject: Subject, kind: string, name: string): Subject[] {
    return subject.namespace === undefined ? [] : this.of(kind).filter(other =>
      other.name === name && other.namespace !== undefined && other.namespace !== subject.namespace);
  }
}

/** Annotation that accepts the findings of a rule in one object; its value is the reason. @internal */
export const SUPPRESSION = 'agent-sandbox-check/ignore.';

/** Letters that a reason has at least: what is shorter says nothing. */
const MIN_REASON = 10;

/** Whether the warnings of a rule are accepted in an object, with a reason. @internal */
export function isSuppressed(subject: Subject, rule: string): boolean {
  const reason = subject.manifest?.metadata?.annotations?.[`${SUPPRESSION}${rule}`];
  return typeof reason === 'string' && reason.trim().length >= MIN_REASON;
}

/** What rules find in a world. @internal */
export function run(world: World, rules: readonly Rule[]): Finding[] {
  const found: Finding[] = [];
  for (const { id, severity, check } of rules) {
    check(world, (subject, field, value, message, remedy) => {
      if (severity === FindingSeverity.WARNING && isSuppressed(subject, id)) {
        return;
      }
      const shown = show(value);
      found.push({ rule: id, severity, place: subject.place, object: subject.title, field: shown === undefined ? field : `${field} is ${shown}`, message, remedy });
    });
  }
  return found;
}
