import { Chart } from 'cdk8s';
import { Construct } from 'constructs';
import { ENUMS_JSON, METHODS, STRUCTS_JSON } from '../generated/shapes.gen';
import { nearest } from './nearest';
import { Problems } from './problems';
import { dnsSubdomain } from './rules';
import { isPlain, show } from './show';

/**
 * Checks of what callers pass against the types of the props. The compiler says the same, but not to JavaScript, nor to
 * runners such as tsx that drop the types, and a prop that is not read there would mean a sandbox without what it says.
 */

type Struct = Readonly<Record<string, string>>;

let structs: Readonly<Record<string, Struct>> | undefined;
let enums: Readonly<Record<string, Readonly<Record<string, string>>>> | undefined;

function structOf(type: string): Struct | undefined {
  structs ??= JSON.parse(STRUCTS_JSON) as Record<string, Struct>;
  return structs[type];
}

function enumOf(type: string): Readonly<Record<string, string>> | undefined {
  enums ??= JSON.parse(ENUMS_JSON) as Record<string, Record<string, string>>;
  return enums[type];
}

/** Our props by the words that Kubernetes, the API and other libraries use for the same thing. */
const SYNONYMS: Readonly<Record<string, readonly string[]>> = {
  activeDeadlineSeconds: ['activeDeadline'],
  allowPrivilegeEscalation: ['securityContext'],
  automountToken: ['automountServiceAccountToken'],
  capabilities: ['securityContext'],
  container: ['containers'],
  containerPort: ['port'],
  count: ['replicas'],
  cpu: ['requestsCpu'],
  environment: ['env'],
  envVars: ['env'],
  expiresAt: ['lifetime'],
  expiry: ['lifetime'],
  image: ['containers'],
  imagePullSecret: ['imagePullSecrets'],
  initContainer: ['initContainers'],
  lifecycle: ['lifetime', 'preStop'],
  limits: ['resources', 'cpuLimit'],
  livenessProbe: ['liveness'],
  medium: ['inMemory'],
  memory: ['requestsMemory'],
  metadata: ['labels'],
  minReady: ['replicas', 'minReplicas'],
  mountPath: ['path'],
  networkPolicy: ['network'],
  onExpiry: ['lifetime'],
  operatingMode: ['suspended'],
  podTemplate: ['containers'],
  poolRef: ['pool'],
  poolSize: ['replicas'],
  portNumber: ['port'],
  privileged: ['securityContext'],
  pullPolicy: ['imagePullPolicy'],
  readOnlyRootFilesystem: ['readOnlyRoot'],
  readinessProbe: ['readiness'],
  requests: ['resources', 'cpu'],
  runtimeClass: ['isolation', 'runtimeClassName'],
  runtimeClassName: ['isolation'],
  runAsGroup: ['securityContext'],
  runAsNonRoot: ['securityContext'],
  runAsRoot: ['relaxations'],
  sandboxTemplateRef: ['template'],
  serviceAccountName: ['serviceAccount'],
  shutdownPolicy: ['lifetime'],
  shutdownTime: ['lifetime'],
  size: ['replicas'],
  spec: ['containers'],
  startupProbe: ['startup'],
  storage: ['size', 'volumes'],
  templateRef: ['template'],
  terminationGracePeriodSeconds: ['terminationGracePeriod'],
  timeout: ['lifetime', 'activeDeadline'],
  ttl: ['lifetime'],
  ttlSecondsAfterFinished: ['lifetime'],
  volumeClaimTemplates: ['volumes'],
  volumeMounts: ['mounts'],
  warmPool: ['pool'],
  warmPoolRef: ['pool'],
  warmpool: ['pool'],
};

/** What to do instead, where there is more to say than the type does. */
const REMEDIES: Readonly<Record<string, string>> = {
  'Isolation': 'say what keeps the containers apart from the node: Isolation.gvisor(), Isolation.kata(), or Isolation.none()',
  'SandboxNetwork': 'say what it may talk to: SandboxNetwork.routerOnly(), SandboxNetwork.denyAll() or another preset',
  'NetworkPeer': "use a NetworkPeer, such as NetworkPeer.cidr('…') or NetworkPeer.pods({ … })",
  'ISandboxTemplate': "use a SandboxTemplate, or SandboxTemplate.fromName('…')",
  'ISandboxWarmPool': "use a SandboxWarmPool, or SandboxWarmPool.fromName('…')",
  'IConstruct': 'use an app, a chart or another construct; for manifests, ofManifests',
  'Duration': 'use a Duration of cdk8s, such as Duration.minutes(5)',
  'l1.Quantity': "use l1.Quantity.fromString('512Mi')",
  'SandboxProps.replicas': 'a Sandbox is one: for several, use a SandboxWarmPool',
  'SandboxProps.template': 'a Sandbox says itself what runs in it: for one of a template, use claim(…) of the template',
  'l1.IntOrString': "use l1.IntOrString.fromNumber(8080) or l1.IntOrString.fromString('http')",
  'IEnvValue': "use a string, EnvSource.secretKey(…), or an EnvValue of cdk8s-plus that has a value, such as EnvValue.fromValue('…')",
  'IEnvFrom': 'use EnvSource.allOfSecret(…) or EnvSource.allOfConfigMap(…), or Env.fromSecret(…) of cdk8s-plus',
  'SandboxDisruptionBudgetProps.maxUnavailable':
    'Kubernetes counts it from the scale of the owner, and Sandboxes have none, so that nothing could ever be evicted: use minAvailable',
  'SandboxDisruptionBudgetProps.minAvailable':
    'Kubernetes counts percentages from the scale of the owner, and Sandboxes have none: use a whole number',
};

/** Parameters of which methods say themselves what it means that they are missing. */
const MISSED_BY_METHOD: readonly string[] = ['ClusterDns.custom peer', 'SandboxNetwork.allowEgressTo peer', 'SandboxNetwork.allowIngressFrom peer'];

/** Strings that mean something when they are empty. */
const MEANT_EMPTY: readonly string[] = ['GrpcProbeOptions.service', 'PersistentVolumeOptions.storageClass'];

/** Kinds of objects by the interface that asks for them: an object of any cdk8s-plus, or a plain one, of this kind will do. */
const PLUS_KINDS: Readonly<Record<string, string>> = {
  'IConfigMap': 'ConfigMap',
  'IPersistentVolumeClaim': 'PersistentVolumeClaim',
  'ISecret': 'Secret',
  'IServiceAccount': 'ServiceAccount',
  'IPod': 'Pod',
};

const brandOf = (type: string) => Symbol.for(`cdk8s-agent-sandbox.${type}`);
const isObject = (value: unknown): value is Record<PropertyKey, any> => typeof value === 'object' && value !== null;
const hasMethod = (method: string) => (value: unknown) => isObject(value) && typeof value[method] === 'function';

/** Whether a value is of a type of another library, or refers to an object. */
const PREDICATES: Readonly<Record<string, (value: unknown) => boolean>> = {
  'Duration': hasMethod('toSeconds'),
  'Construct': Construct.isConstruct,
  'IConstruct': Construct.isConstruct,
  'ISandboxTemplate': value => isObject(value) && value.isSandboxTemplate === true && typeof value.name === 'string',
  'ISandboxWarmPool': value => isObject(value) && value.isSandboxWarmPool === true && typeof value.name === 'string',
  'l1.Quantity': value => isObject(value) && ['string', 'number'].includes(typeof value.value),
  'l1.IntOrString': value => isObject(value) && ['string', 'number'].includes(typeof value.value),
  'IEnvValue': value => isObject(value) && (typeof value.value === 'string' || isLazy(value.value) || isObject(value.valueFrom)),
  'IEnvFrom': value => hasMethod('_toKube')(value) && isEnvSource((value as any)._toKube()),
  'INetworkPolicyPeer': hasMethod('toNetworkPolicyPeerConfig'),
};

function isEnvSource(value: unknown): boolean {
  return isObject(value) && (isObject(value.configMapRef) || isObject(value.secretRef));
}

/** Values that are only known at synthesis. */
function isLazy(value: unknown): boolean {
  return isObject(value) && typeof value.produce === 'function';
}

/**
 * Marks a class as one of this library, also for other copies of it in the same program, and has its methods check what
 * they are given.
 *
 * @internal
 */
export function checkCalls(owner: { readonly name: string; readonly prototype: any }): void {
  Object.defineProperty(owner.prototype, brandOf(owner.name), { value: true });
  for (const [holder, separator] of [[owner, '.'], [owner.prototype, '#']]) {
    for (const method of Object.getOwnPropertyNames(holder)) {
      const name = `${owner.name}${separator}${method}`;
      if (Object.hasOwn(METHODS, name)) {
        const parameters = METHODS[name].map(parseParameter);
        const original = holder[method];
        Object.defineProperty(holder, method, {
          configurable: true,
          writable: true,
          value: function checked(this: any, ...given: unknown[]) {
            const where = separator === '#' && Construct.isConstruct(this) ? this.node.path : name.replace('#', '.');
            checkParameters(where, parameters, given);
            return original.apply(this, given);
          },
        });
      }
    }
  }
}

interface Parameter {
  readonly name: string;
  readonly type: string;
  readonly rest: boolean;
}

function parseParameter(text: string): Parameter {
  const [name, type] = text.split(':');
  return { name, type: type.replace('...', ''), rest: type.startsWith('...') };
}

function checkParameters(where: string, parameters: readonly Parameter[], given: readonly unknown[]): void {
  if (parameters.every(({ type, rest }, index) => verdictOn(type)(rest ? given.slice(index) : given[index]))) {
    return;
  }
  let problems: Problems | undefined;
  parameters.forEach(({ name, type, rest }, index) => {
    const value = rest ? given.slice(index) : given[index];
    if (isWrong(value, type)) {
      if (value === undefined && MISSED_BY_METHOD.includes(`${where} ${name}`)) {
        return;
      }
      problems ??= Problems.of(where);
      checkValue(problems, name, value, type, undefined, name);
    } else if (isObject(value)) {
      problems ??= Problems.of(where);
      // Options have a name in the documentation only, so their props stand alone.
      checkContent(problems, structOf(type.replace('?', '')) ? '' : name, value, type);
    }
  });
  problems?.throwIfAny();
}

/**
 * The scope and id of a construct of ours, for its `super()`.
 *
 * @throws if the scope is not in a chart, or the id is not a string with at least one character
 * @internal
 */
export function placed(kind: string, scope: Construct, id: string): [scope: Construct, id: string] {
  const problems = Problems.of(kind);
  if (typeof id !== 'string' || id === '') {
    problems.add('id', id, `give the construct an id, which is also the name of its object: new ${kind}(chart, 'python', { … })`);
  }
  if (!Construct.isConstruct(scope)) {
    problems.add('scope', scope, `define it in a chart: new ${kind}(chart, ${typeof id === 'string' ? `'${id}'` : "'python'"}, { … })`);
  } else if (!Chart.isChart(scope) && !scope.node.scopes.some(Chart.isChart)) {
    problems.add('scope', scope, "define it in a chart: new Chart(app, 'agents', { namespace: 'agents' })");
  }
  problems.throwIfAny();
  return [scope, id];
}

let unchecked = 0;

/**
 * Runs a function in which props need not be of their types: for generators that put placeholders into them.
 *
 * @internal
 */
export function withPlaceholders<T>(make: () => T): T {
  unchecked++;
  try {
    return make();
  } finally {
    unchecked--;
  }
}

/**
 * Whether props hold placeholders, whose values say nothing.
 *
 * @internal
 */
export function hasPlaceholders(): boolean {
  return unchecked > 0;
}

/**
 * Checks the props of a construct against their types.
 *
 * @throws with all props that are unknown, missing, or of another type
 * @internal
 */
export function checkProps(path: string, type: string, props: unknown): void {
  if (hasPlaceholders() || (isObject(props) && !Array.isArray(props) && verdictOnStruct(type)(props))) {
    return;
  }
  const problems = Problems.of(path);
  if (!isObject(props) || Array.isArray(props)) {
    problems.add('props', props, remedyFor(props, type, undefined, ''));
  } else {
    checkStruct(problems, '', props, type);
  }
  problems.throwIfAny();
}

/** Whether a value as a whole is not of its type. What is in it is another question. */
function isWrong(value: unknown, notation: string): boolean {
  const optional = notation.endsWith('?');
  const type = optional ? notation.slice(0, -1) : notation;
  if (value === undefined) {
    return !optional && type !== '*';
  }
  if (isLazy(value)) {
    return false;
  }
  switch (type) {
    case '*': return false;
    case 's': return typeof value !== 'string';
    case 'n': return typeof value !== 'number' || Number.isNaN(value);
    case 'b': return typeof value !== 'boolean';
  }
  if (type[0] === '[') {
    return !Array.isArray(value);
  }
  if (type[0] === '{' || structOf(type)) {
    return !isObject(value) || Array.isArray(value);
  }
  if (type.includes('|')) {
    return type.split('|').every(one => isWrong(value, one));
  }
  const values = enumOf(type);
  if (values) {
    return !Object.values(values).includes(value as string);
  }
  const predicate = PREDICATES[type];
  if (predicate) {
    return !predicate(value);
  }
  const kind = PLUS_KINDS[type];
  if (kind) {
    return !(isObject(value) && value.kind === kind && typeof value.name === 'string');
  }
  return !(isObject(value) && brandOf(type) in value);
}

/** Whether a value and everything in it are of a type. What is wrong is only worked out where something is. */
type Verdict = (value: unknown) => boolean;

const verdicts = new Map<string, Verdict>();
const verdictsOnStructs = new Map<string, Verdict>();

function verdictOn(notation: string): Verdict {
  let verdict = verdicts.get(notation);
  if (!verdict) {
    verdict = makeVerdict(notation);
    verdicts.set(notation, verdict);
  }
  return verdict;
}

function makeVerdict(notation: string): Verdict {
  const type = notation.endsWith('?') ? notation.slice(0, -1) : notation;
  if (Object.hasOwn(PLUS_KINDS, type)) {
    return value => !isWrong(value, notation) && (!isObject(value) || isLazy(value) || dnsSubdomain(value.name) === undefined);
  }
  // Not `every`, which passes over what is missing in a list.
  const content = type[0] === '[' ? (value: any) => !Array.from(value).some(item => !verdictOn(type.slice(1))(item))
    : type[0] === '{' ? (value: any) => Object.keys(value).every(key => verdictOn(type.slice(1))(value[key]))
      : structOf(type) ? (value: any) => verdictOnStruct(type)(value) : undefined;
  return content
    ? value => !isWrong(value, notation) && (value === undefined || isLazy(value) || content(value))
    : value => !isWrong(value, notation);
}

function verdictOnStruct(type: string): Verdict {
  let verdict = verdictsOnStructs.get(type);
  if (!verdict) {
    const struct = structOf(type)!;
    const members = new Map(Object.keys(struct).map(key =>
      [key, { verdict: verdictOn(struct[key]), takesEmpty: type.startsWith('l1.') || MEANT_EMPTY.includes(`${type}.${key}`) }]));
    const required = Object.keys(struct).filter(key => !struct[key].endsWith('?'));
    verdict = (value: any) => {
      const isLiteral = isPlain(value);
      for (const key of isLiteral ? Object.keys(value) : members.keys()) {
        const member = members.get(key);
        const item = value[key];
        if (!member || !member.verdict(item) || (item === '' && !member.takesEmpty)) {
          return false;
        }
      }
      return !isLiteral || required.every(key => value[key] !== undefined || members.get(key)!.verdict(undefined));
    };
    verdictsOnStructs.set(type, verdict);
  }
  return verdict;
}

/** What is wrong with a value and everything in it. */
function checkValue(problems: Problems, prop: string, value: unknown, notation: string, struct: string | undefined, key: string): void {
  if (isWrong(value, notation)) {
    problems.add(prop, value, remedyFor(value, notation, struct, key));
  } else if (value === '' && struct !== undefined && !struct.startsWith('l1.') && !MEANT_EMPTY.includes(`${struct}.${key}`)) {
    problems.add(prop, value, notation.endsWith('?') ? 'it is empty: write a value, or leave it out' : 'it is empty: write a value');
  } else if (isObject(value)) {
    checkContent(problems, prop, value, notation);
  }
}

function checkContent(problems: Problems, prop: string, value: Record<PropertyKey, any>, notation: string): void {
  const type = notation.endsWith('?') ? notation.slice(0, -1) : notation;
  if (isLazy(value)) {
    return;
  }
  if (Object.hasOwn(PLUS_KINDS, type)) {
    problems.check(`${prop}.name`, value.name, dnsSubdomain);
  }
  if (type[0] === '[') {
    for (let index = 0; index < value.length; index++) {
      checkValue(problems, `${prop}[${index}]`, value[index], type.slice(1), undefined, '');
    }
  } else if (type[0] === '{') {
    for (const key of Object.keys(value)) {
      checkValue(problems, `${prop}['${key}']`, value[key], type.slice(1), undefined, key);
    }
  } else if (structOf(type)) {
    checkStruct(problems, prop, value, type);
  }
}

function checkStruct(problems: Problems, prop: string, value: Record<string, any>, type: string): void {
  const struct = structOf(type)!;
  const named = (key: string) => (prop ? `${prop}.${key}` : key);
  // An object of a class, such as a pool as the target of an autoscaler, has members of its own.
  for (const key of isPlain(value) ? Object.keys(value) : []) {
    if (!Object.hasOwn(struct, key)) {
      problems.add(named(key), value[key], unknownProp(type, struct, key));
    }
  }
  for (const key of Object.keys(struct)) {
    const item = value[key];
    if (item !== undefined || !struct[key].endsWith('?')) {
      checkValue(problems, named(key), item, struct[key], type, key);
    }
  }
}

function unknownProp(type: string, struct: Struct, key: string): string {
  const remedy = REMEDIES[`${type}.${key}`];
  if (remedy) {
    return remedy;
  }
  const name = type.replace(/^l1\./, '');
  const suggestion = SYNONYMS[key]?.find(other => other in struct) ?? [key.replace(/Seconds$|Name$/, '')].find(other => Object.hasOwn(struct, other))
    ?? nearest(key, Object.keys(struct));
  return suggestion ? `${name} has no such prop: use ${suggestion}` : `${name} has no such prop: leave it out`;
}

function remedyFor(value: unknown, notation: string, struct: string | undefined, key: string): string {
  const special = struct !== undefined && value !== null && value !== undefined ? REMEDIES[`${struct}.${key}`] : undefined;
  const remedy = special ?? literalRemedy(value, notation, key) ?? expected(notation);
  if (value === null && notation.endsWith('?')) {
    return `leave it out, or ${remedy}`;
  }
  return value === undefined && !REMEDIES[notation] ? `it is missing: ${remedy}` : remedy;
}

/** For values that only lack or have quotes, or stand alone where a list is wanted. */
function literalRemedy(value: unknown, notation: string, key: string): string | undefined {
  const type = notation.replace('?', '');
  if (type === 'b' && (value === 'true' || value === 'false')) {
    return `write ${value} without quotes`;
  }
  if (type === 'n' && typeof value === 'string' && value.trim() !== '' && Number.isFinite(Number(value))) {
    return `write the number without quotes: ${Number(value)}`;
  }
  if (type === 's' && (typeof value === 'number' || typeof value === 'boolean')) {
    return `write it as a string: '${value}${typeof value === 'number' ? UNITS.find(([names]) => names.test(key))?.[1] ?? '' : ''}'`;
  }
  if (type === 'l1.Quantity' && (typeof value === 'number' || (typeof value === 'string' && value !== ''))) {
    return `use l1.Quantity.fromString('${value}')`;
  }
  if (type[0] === '[' && !isWrong(value, type.slice(1)) && value !== undefined) {
    return `write it as a list: [${isObject(value) && !isPlain(value) ? '…' : show(value)}]`;
  }
  const values = enumOf(type);
  const near = values && typeof value === 'string' ? nearest(value, Object.values(values)) : undefined;
  const member = near && Object.keys(values!).find(name => values![name] === near);
  return member ? `use ${type}.${member} ('${near}')` : undefined;
}

/** Units of plain numbers in amounts: what was meant is hardly ever bytes. */
const UNITS: ReadonlyArray<readonly [names: RegExp, unit: string]> = [[/memory/i, 'Mi'], [/^size|storage/i, 'Gi']];

/** What a value of a type looks like. */
function expected(notation: string): string {
  const type = notation.replace('?', '');
  if (REMEDIES[type]) {
    return REMEDIES[type];
  }
  switch (type) {
    case 's': return 'write a string';
    case 'n': return 'write a number';
    case 'b': return 'write true or false';
  }
  if (type[0] === '[') {
    return `write a list: ${example(type)}`;
  }
  if (type[0] === '{' || structOf(type)) {
    return `write an object: ${example(type)}`;
  }
  if (type.includes('|')) {
    return expected(type.split('|').at(-1)!);
  }
  const values = enumOf(type);
  if (values) {
    const members = Object.keys(values).map(member => `${type}.${member} ('${values[member]}')`);
    return `use ${members.length < 2 ? members.join() : `${members.slice(0, -1).join(', ')} or ${members.at(-1)}`}`;
  }
  if (PLUS_KINDS[type]) {
    const reference = `ObjectReference.${PLUS_KINDS[type][0].toLowerCase()}${PLUS_KINDS[type].slice(1)}`;
    return `use ${Object.hasOwn(METHODS, reference) ? `${reference}('…'), or ` : ''}a ${PLUS_KINDS[type]} of cdk8s-plus`;
  }
  const factories = Object.keys(METHODS).filter(method => method.startsWith(`${type}.`));
  return factories.length > 0 ? `use ${factories.slice(0, 3).map(factory => `${factory}(…)`).join(', ')}` : `use a ${type.replace(/^l1\./, '')}`;
}

function example(type: string): string {
  if (type[0] === '[') {
    return `[${example(type.slice(1))}]`;
  }
  if (type[0] === '{') {
    return `{ NAME: ${example(type.slice(1))} }`;
  }
  const struct = structOf(type);
  if (!struct) {
    return { 's': "'…'", 'n': '1', 'b': 'true' }[type.split('|')[0]] ?? '…';
  }
  const required = Object.keys(struct).filter(key => !struct[key].endsWith('?'));
  return required.length > 0 ? `{ ${required.map(key => `${key}: …`).join(', ')} }` : '{ … }';
}
