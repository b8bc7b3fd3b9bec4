import type { Construct } from 'constructs';
import { checkCalls, definedOnly, nearest, Problems } from '../checks';
import { Checks, type Finding } from '../findings';
import { EXTENSIONS_GROUP, GROUP } from '../generated/vocabulary.gen';
import type { NetworkPort } from '../network';
import { checkPodSecurity } from '../pod';
import { describeObject, manifestsOf, type NetworkAnswer, NetworkEndpoint, NetworkModel, type NetworkModelProps, placed, type PlacedManifest, Reachability } from '../policy';
import { Posture } from '../posture';
import { differences } from './match';
import { postureProblem, updateOf } from './posture-file';

/** What an object must say. Everything that is left out may be as it is. */
export interface ExpectedObject {
  /**
   * Labels that the object must have, besides others.
   *
   * @default - any
   */
  readonly labels?: { [key: string]: string };

  /**
   * Annotations that the object must have, besides others.
   *
   * @default - any
   */
  readonly annotations?: { [key: string]: string };

  /**
   * Fields of `spec`, in the names of the manifest. Objects may have more keys than are written here; lists must have the same length, and
   * their items are compared in the same way. A key with the value `undefined` must not be there.
   *
   * @default - any
   */
  readonly spec?: { [key: string]: any };
}

/** What a SandboxWarmPool must say. */
export interface ExpectedWarmPool extends ExpectedObject {
  /**
   * Number of idle Sandboxes.
   *
   * @default - any
   */
  readonly replicas?: number;

  /**
   * Name of the template.
   *
   * @default - any
   */
  readonly template?: string;
}

/** What a SandboxClaim must say. */
export interface ExpectedClaim extends ExpectedObject {
  /**
   * Name of the pool that it takes from.
   *
   * @default - any
   */
  readonly pool?: string;

  /**
   * Name of the template, of a claim that names one itself.
   *
   * @default - any
   */
  readonly template?: string;
}

/** Kinds that make Pods, and those that lead to them. */
const POD_KINDS: readonly string[] = ['Sandbox', 'SandboxTemplate'];
const KINDS: readonly string[] = [...POD_KINDS, 'SandboxWarmPool', 'SandboxClaim'];

/** Names by which an object can be meant. */
const namesOf = ({ manifest }: PlacedManifest): string[] =>
  [manifest.metadata.name, `${manifest.metadata.namespace}/${manifest.metadata.name}`, describeObject(manifest)];

/** The actual state, in lines. */
const MOST_LINES = 5;

/**
 * Assertions about an app, a chart or manifests, for tests with jest, vitest, node:test or anything else: each throws an Error that says what
 * was expected, what was found, and which object and field decide, or returns the assertions so that further ones can follow.
 *
 * Objects are named by `name` or `namespace/name`; where several kinds have the name, write `SandboxTemplate namespace/name`.
 */
export class SandboxAssertions {
  /**
   * Assertions about an app, a chart, or any other construct with everything below it.
   *
   * @param scope the app or chart; it does not have to be synthesized
   * @param cluster facts about the cluster, for questions about the network
   * @throws if a CIDR is not well-formed
   */
  public static of(scope: Construct, cluster: NetworkModelProps = {}): SandboxAssertions {
    return new SandboxAssertions(manifestsOf(scope), () => Checks.of(scope), () => NetworkModel.of(scope, cluster), cluster);
  }

  /**
   * Assertions about manifests: parsed YAML, or the objects of a cluster.
   *
   * @param manifests objects of Kubernetes; lists are opened
   * @param cluster facts about the cluster, for questions about the network
   * @throws if a CIDR is not well-formed
   */
  public static ofManifests(manifests: any[], cluster: NetworkModelProps = {}): SandboxAssertions {
    return new SandboxAssertions(placed(manifests), () => Checks.ofManifests(manifests), () => NetworkModel.ofManifests(manifests, cluster), cluster);
  }

  private readonly ours: readonly PlacedManifest[];
  private model: NetworkModel | undefined;

  private constructor(
    private readonly all: readonly PlacedManifest[],
    private readonly findings: () => readonly Finding[],
    private readonly makeModel: () => NetworkModel,
    private readonly cluster: NetworkModelProps,
  ) {
    this.ours = all.filter(({ manifest: { apiVersion, kind } }) => [GROUP, EXTENSIONS_GROUP].includes(String(apiVersion).split('/')[0]) && KINDS.includes(kind));
  }

  /**
   * There is a Sandbox of this name.
   *
   * @param name `name` or `namespace/name`
   * @param expected what it must say
   * @throws if there is none, or it says something else
   */
  public hasSandbox(name: string, expected: ExpectedObject = {}): SandboxAssertions {
    return this.has('Sandbox', name, expected);
  }

  /**
   * There is a SandboxTemplate of this name.
   *
   * @param name `name` or `namespace/name`
   * @param expected what it must say
   * @throws if there is none, or it says something else
   */
  public hasTemplate(name: string, expected: ExpectedObject = {}): SandboxAssertions {
    return this.has('SandboxTemplate', name, expected);
  }

  /**
   * There is a SandboxWarmPool of this name.
   *
   * @param name `name` or `namespace/name`
   * @param expected what it must say
   * @throws if there is none, or it says something else
   */
  public hasWarmPool(name: string, expected: ExpectedWarmPool = {}): SandboxAssertions {
    const { replicas, template } = expected;
    return this.has('SandboxWarmPool', name, expected, definedOnly({ replicas, sandboxTemplateRef: template === undefined ? undefined : { name: template } }));
  }

  /**
   * There is a SandboxClaim of this name.
   *
   * @param name `name` or `namespace/name`
   * @param expected what it must say
   * @throws if there is none, or it says something else
   */
  public hasClaim(name: string, expected: ExpectedClaim = {}): SandboxAssertions {
    const { pool, template } = expected;
    return this.has('SandboxClaim', name, expected, definedOnly({
      warmPoolRef: pool === undefined ? undefined : { name: pool }, sandboxTemplateRef: template === undefined ? undefined : { name: template },
    }));
  }

  /**
   * The Pods meet the *restricted* Pod Security Standard.
   *
   * @param name a Sandbox or template, or a pool or claim of a template; undefined means all Sandboxes and templates
   * @throws if a Pod does not, with the fields that it does not meet
   */
  public isRestricted(name?: string): SandboxAssertions {
    return this.everyPod('to meet the restricted Pod Security Standard', name, spec => {
      const problems = Problems.of('');
      checkPodSecurity(problems, spec, []);
      // A test does not need the remedy of the constructs.
      return problems.all().map(line => (line.startsWith('container ') ? '' : 'spec.podTemplate.spec.')
        + line.replace(/: (?:.*, or )?name it: relaxations: \[Relaxation\.(\w+)\]$/, ', which needs Relaxation.$1'));
    });
  }

  /**
   * The Pods run under a RuntimeClass.
   *
   * @param runtime name of the RuntimeClass (`gvisor`), or the handler of a RuntimeClass that is defined here as well (`runsc`)
   * @param name a Sandbox or template, or a pool or claim of a template; undefined means all Sandboxes and templates
   * @throws if a Pod does not
   */
  public runsUnder(runtime: string, name?: string): SandboxAssertions {
    const classes = this.all.filter(({ manifest }) => manifest.kind === 'RuntimeClass').map(({ manifest }) => manifest as any);
    return this.everyPod(`to run under '${runtime}'`, name, spec => {
      const className = spec.runtimeClassName;
      const handler = classes.find(({ metadata }) => metadata.name === className)?.handler;
      return className === runtime || handler === runtime ? []
        : [`spec.podTemplate.spec.runtimeClassName is ${className === undefined ? 'not set, so that these are ordinary containers' : `'${className}'${handler ? ` (handler '${handler}')` : ''}`}`];
    });
  }

  /**
   * `Checks` finds nothing, neither errors nor warnings.
   *
   * @throws with all findings
   */
  public hasNoFindings(): SandboxAssertions {
    const lines = this.findings().map(({ rule, severity, place, object, field, message, remedy }) => `${severity}: ${object} (${place}): ${field}: ${message}: ${remedy} [${rule}]`);
    return lines.length === 0 ? this : fail(`expected no findings, and there ${lines.length === 1 ? 'is 1' : `are ${lines.length}`}`, lines);
  }

  /**
   * The posture is that of a committed text file; see `Posture`. A missing file is written, except in continuous integration (variable `CI`), and
   * `AGENT_SANDBOX_UPDATE=1` has it written anew.
   *
   * @param file path of the file
   * @throws with what has changed, object by object
   */
  public hasPosture(file: string): SandboxAssertions {
    const problem = postureProblem(Posture._ofPlaced(this.all, this.findings(), this.cluster), file, updateOf(process.env));
    if (problem !== undefined) {
      throw new Error(problem);
    }
    return this;
  }

  /**
   * A connection is possible.
   *
   * @param sandbox a Sandbox or template, or a pool or claim of a template
   * @param destination what it connects to
   * @param port the port; undefined is the usual port of a named destination, and any port otherwise
   * @throws if it is not, or if the manifests do not tell
   */
  public reaches(sandbox: string, destination: NetworkEndpoint, port?: NetworkPort): SandboxAssertions {
    const { from, answer } = this.ask(sandbox, 'to reach', destination, port);
    if (answer.reachability === Reachability.ALLOWED) {
      return this;
    }
    const ranges = this.network.reaches(from).map(({ protocol, fromPort, toPort, cidrs, certain }) =>
      `${protocol} ${fromPort === toPort ? fromPort : `${fromPort}-${toPort}`}: ${few(cidrs)}${certain ? '' : ' (not certain)'}`);
    return fail(`expected ${from} to reach ${to(destination, port)}, and ${answer.reachability === Reachability.DENIED ? 'it cannot' : 'the manifests do not tell'}`, [
      ...because(answer),
      `outside of the cluster it reaches ${ranges.length === 0 ? 'nothing' : few(ranges, '; ')}`,
    ]);
  }

  /**
   * A connection is impossible.
   *
   * @param sandbox a Sandbox or template, or a pool or claim of a template
   * @param destination what it would connect to
   * @param port the port; undefined is the usual port of a named destination, and any port otherwise
   * @throws if it is possible, or if the manifests do not tell
   */
  public cannotReach(sandbox: string, destination: NetworkEndpoint, port?: NetworkPort): SandboxAssertions {
    const { from, answer } = this.ask(sandbox, 'not to reach', destination, port);
    return answer.reachability === Reachability.DENIED ? this
      : fail(`expected ${from} not to reach ${to(destination, port)}, and ${answer.reachability === Reachability.ALLOWED ? 'it can' : 'the manifests do not tell'}`, because(answer));
  }

  /**
   * The Pods of two namespaces cannot connect to each other, in either direction.
   *
   * @param namespace one namespace
   * @param other the other namespace
   * @throws if a connection is possible or not known to be impossible, or if there is no Sandbox or template in one of them
   */
  public isolatedFrom(namespace: string, other: string): SandboxAssertions {
    for (const each of [namespace, other]) {
      const known = [...new Set(this.pods().flatMap(({ manifest }) => manifest.metadata.namespace ?? []))];
      if (!known.includes(each)) {
        fail(`expected the namespaces '${namespace}' and '${other}' to be isolated from each other, and there is no Sandbox or template in '${each}'`, [
          ...nearestOf(each, known), `namespaces with Sandboxes or templates: ${few(known) || 'none'}`,
        ]);
      }
    }
    const { isolated, counterexample } = this.network.isolatedFrom(namespace, other);
    return isolated ? this : fail(`expected the namespaces '${namespace}' and '${other}' to be isolated from each other, and they are not`, [`from ${counterexample}`]);
  }

  private get network(): NetworkModel {
    this.model ??= this.makeModel();
    return this.model;
  }

  private pods(): PlacedManifest[] {
    return this.ours.filter(({ manifest }) => POD_KINDS.includes(manifest.kind));
  }

  private has(kind: string, name: string, expected: ExpectedObject, ownSpec: { readonly [key: string]: unknown } = {}): SandboxAssertions {
    const { manifest, place } = this.find([kind], name, `expected a ${kind} '${name}'`);
    const lines = [
      ...differences('metadata.labels', expected.labels ?? {}, manifest.metadata.labels ?? {}),
      ...differences('metadata.annotations', expected.annotations ?? {}, manifest.metadata.annotations ?? {}),
      ...differences('spec', ownSpec, manifest.spec ?? {}),
      ...differences('spec', expected.spec ?? {}, manifest.spec ?? {}),
    ];
    return lines.length === 0 ? this : fail(`${describeObject(manifest)} (${place}) is not as expected`, lines);
  }

  /** The one object of some kinds that has a name. */
  private find(kinds: readonly string[], name: string, expectation: string): PlacedManifest {
    const candidates = this.ours.filter(({ manifest }) => kinds.includes(manifest.kind));
    const found = candidates.filter(each => namesOf(each).includes(name));
    const what = kinds.length === 1 ? kinds[0] : 'Sandbox, template, pool or claim';
    if (found.length > 1) {
      fail(`${expectation}, and there are ${found.length} of this name`, [`write one of: ${few(found.map(({ manifest }) => describeObject(manifest)))}`]);
    }
    if (found.length === 0) {
      const names = candidates.map(({ manifest: { metadata } }) => (name.includes('/') && metadata.namespace ? `${metadata.namespace}/${metadata.name}` : metadata.name));
      const elsewhere = this.ours.find(each => namesOf(each).includes(name));
      fail(`${expectation}, and there is no ${what} of this name`, [
        ...(elsewhere ? [`there is ${describeObject(elsewhere.manifest)} (${elsewhere.place})`] : nearestOf(name, names)),
        `there ${names.length === 0 ? 'is none at all' : `${names.length === 1 ? 'is' : 'are'} ${few(candidates.map(({ manifest }) => describeObject(manifest)))}`}`,
      ]);
    }
    return found[0];
  }

  /** The object that makes the Pods of a Sandbox, a template, a pool or a claim. */
  private podsOf(name: string, expectation: string): PlacedManifest {
    const named = this.ours.filter(each => KINDS.includes(each.manifest.kind) && namesOf(each).includes(name));
    // A template and its pool often have one name, as in a tenant, and mean the same Pods.
    const ends = new Set(named.map(each => this.follow(each, expectation)));
    return ends.size === 1 ? [...ends][0] : this.find(KINDS, name, expectation);
  }

  /** The object that makes the Pods of an object. */
  private follow(from: PlacedManifest, expectation: string): PlacedManifest {
    let object = from;
    // A claim leads to a pool, and that to a template.
    while (!POD_KINDS.includes(object.manifest.kind)) {
      const { metadata, spec, kind } = object.manifest;
      const pool = kind === 'SandboxClaim' && !spec?.sandboxTemplateRef?.name ? spec?.warmPoolRef?.name : undefined;
      const [wanted, wantedName] = pool ? ['SandboxWarmPool', pool] : ['SandboxTemplate', spec?.sandboxTemplateRef?.name];
      const namespace = (pool ? undefined : spec?.sandboxTemplateRef?.namespace) ?? metadata.namespace;
      const next = this.ours.find(({ manifest }) =>
        manifest.kind === wanted && manifest.metadata.name === wantedName && manifest.metadata.namespace === namespace);
      object = next ?? fail(`${expectation}, and the ${wanted} that ${describeObject(object.manifest)} (${object.place}) names is not here`, [
        `${pool ? 'spec.warmPoolRef.name' : 'spec.sandboxTemplateRef.name'} is '${wantedName}'`,
      ]);
    }
    return object;
  }

  private everyPod(expectation: string, name: string | undefined, problemsOf: (spec: any) => string[]): SandboxAssertions {
    const subject = name === undefined ? 'all Sandboxes and templates' : `'${name}'`;
    const objects = name === undefined ? this.pods() : [this.podsOf(name, `expected '${name}' ${expectation}`)];
    if (objects.length === 0) {
      fail(`expected ${subject} ${expectation}, and there is none`, []);
    }
    const failing = objects.map(({ manifest, place }) => ({ title: `${describeObject(manifest)} (${place})`, problems: problemsOf(manifest.spec?.podTemplate?.spec ?? {}) }))
      .filter(({ problems }) => problems.length > 0);
    return failing.length === 0 ? this : fail(
      `expected ${subject} ${expectation}, and ${objects.length === 1 ? 'it does not' : `${failing.length} of ${objects.length} ${failing.length === 1 ? 'does' : 'do'} not`}`,
      failing.flatMap(({ title, problems }) => problems.map(problem => `${title}: ${problem}`)));
  }

  private ask(
    sandbox: string, verb: string, destination: NetworkEndpoint, port: NetworkPort | undefined,
  ): { readonly from: NetworkEndpoint; readonly answer: NetworkAnswer } {
    const { manifest: { kind, metadata: { name, namespace } } } = this.podsOf(sandbox, `expected '${sandbox}' ${verb} ${to(destination, port)}`);
    const from = kind === 'Sandbox' ? NetworkEndpoint.sandbox(name, namespace) : NetworkEndpoint.template(name, namespace);
    return { from, answer: this.network.canReach(from, destination, port) };
  }
}
checkCalls(SandboxAssertions);

function fail(expectation: string, lines: readonly string[]): never {
  throw new Error([expectation + (lines.length > 0 ? ':' : ''), ...lines.map(line => `  ${line}`)].join('\n'));
}

function nearestOf(name: string, names: readonly string[]): string[] {
  const found = nearest(name, names);
  return found === undefined ? [] : [`nearest: '${found}'`];
}

/** The first of many, and how many there are. */
function few(items: readonly string[], separator = ', '): string {
  return items.length <= MOST_LINES ? items.join(separator) : `${items.slice(0, MOST_LINES).join(separator)} and ${items.length - MOST_LINES} more`;
}

function to(destination: NetworkEndpoint, port: NetworkPort | undefined): string {
  const { protocol = 'TCP', port: number, endPort } = port?._toPolicyPort() ?? {};
  return port ? `${destination} on ${protocol} ${number?.value}${endPort === undefined ? '' : `-${endPort}`}` : destination.description;
}

function because({ reachability, reasons, places, example }: NetworkAnswer): string[] {
  return [...(example === undefined || reachability === Reachability.DENIED ? [] : [`for example ${example}`]), ...reasons, ...(places.length > 0 ? [`decided by ${few(places)}`] : [])];
}
