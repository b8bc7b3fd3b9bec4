import { Duration } from 'cdk8s';
import { Lifetime, SandboxTemplate, SandboxWarmPool, ShutdownPolicy, UpdateStrategy } from '../kinds';
import { AgentSandboxVersion, PersistentVolumeAccessMode } from '../objects';
import { SandboxVolume } from '../pod';
import { Code, print, quoted, valueOf } from './code';

const METADATA: readonly string[] = ['name', 'namespace', 'labels', 'annotations'];

/** A pool or claim as the props of its construct; undefined where the construct cannot say the same. @internal */
export function layerTwoProps(manifest: any, poolNamed: (name: string) => Code | undefined): { readonly [prop: string]: unknown } | undefined {
  const spec = { ...manifest.spec };
  const version = String(manifest.apiVersion).endsWith('/v1alpha1') ? new Code('AgentSandboxVersion.V1ALPHA1', AgentSandboxVersion.V1ALPHA1) : undefined;
  const own = manifest.kind === 'SandboxWarmPool' ? poolProps(spec) : manifest.kind === 'SandboxClaim' && !version ? claimProps(spec, poolNamed) : undefined;
  const { labels, annotations } = manifest.metadata;
  const isWhole = Object.keys(spec).length === 0 && Object.keys(manifest.metadata).every(key => METADATA.includes(key));
  return own && isWhole ? { ...own, labels, annotations, apiVersion: version } : undefined;
}

/** Takes fields out of a spec that have a prop. */
function take(spec: any, field: string): any {
  const value = spec[field];
  delete spec[field];
  return value;
}

function poolProps(spec: any): { readonly [prop: string]: unknown } | undefined {
  const template = onlyKey(take(spec, 'sandboxTemplateRef'), 'name');
  const strategy = onlyKey(take(spec, 'updateStrategy'), 'type') as string | undefined;
  const grace = take(spec, 'readinessGracePeriodSeconds');
  return typeof template !== 'string' ? undefined : {
    template: call('SandboxTemplate.fromName', [template], () => SandboxTemplate.fromName(template)),
    replicas: take(spec, 'replicas'),
    updateStrategy: strategy === undefined ? undefined : member('UpdateStrategy', UpdateStrategy, strategy),
    readinessGracePeriod: grace === undefined ? undefined : seconds(grace),
  };
}

function claimProps(spec: any, poolNamed: (name: string) => Code | undefined): { readonly [prop: string]: unknown } | undefined {
  const pool = onlyKey(take(spec, 'warmPoolRef'), 'name');
  const lifecycle = take(spec, 'lifecycle');
  const { labels, annotations, ...more } = take(spec, 'additionalPodMetadata') ?? {};
  const env: any[] = take(spec, 'env') ?? [];
  const volumes: any[] | undefined = take(spec, 'volumeClaimTemplates');
  const named = [...new Set(env.flatMap(({ containerName }) => containerName ?? []))];
  const variables = (container: string | undefined) => {
    const list = env.filter(({ containerName }) => containerName === container);
    return list.length > 0 ? Object.fromEntries(list.map(({ name, value }) => [name, value])) : undefined;
  };
  return typeof pool !== 'string' || Object.keys(more).length > 0 ? undefined : {
    pool: poolNamed(pool) ?? call('SandboxWarmPool.fromName', [pool], () => SandboxWarmPool.fromName(pool)),
    lifetime: lifecycle === undefined ? undefined : lifetime(lifecycle),
    podLabels: labels,
    podAnnotations: annotations,
    env: variables(undefined),
    containerEnv: named.length > 0 ? Object.fromEntries(named.map(name => [name, variables(name)])) : undefined,
    volumes: volumes?.map(volume),
  };
}

function lifetime({ shutdownTime, ttlSecondsAfterFinished, shutdownPolicy }: any): Code {
  const options = shutdownPolicy === undefined ? [] : [{ onExpiry: member('ShutdownPolicy', ShutdownPolicy, shutdownPolicy) }];
  if (ttlSecondsAfterFinished === undefined) {
    return call('Lifetime.until', [shutdownTime, ...options], () => Lifetime.until(shutdownTime, ...options.map(valueOf)));
  }
  const ttl = seconds(ttlSecondsAfterFinished);
  const after = call('Lifetime.afterFinished', [ttl, ...options], () => Lifetime.afterFinished(valueOf(ttl), ...options.map(valueOf)));
  return shutdownTime === undefined ? after : new Code(`${after.text}.orUntil(${quoted(shutdownTime)})`, (after.value as Lifetime).orUntil(shutdownTime));
}

function volume({ metadata: { name, labels, annotations }, spec }: any): Code {
  const { resources, accessModes, storageClassName, ...others } = spec;
  const options = {
    size: String(resources.requests.storage),
    accessModes: accessModes?.map((mode: string) => member('PersistentVolumeAccessMode', PersistentVolumeAccessMode, mode)),
    storageClass: storageClassName,
    labels,
    annotations,
    spec: Object.keys(others).length > 0 ? others : undefined,
  };
  return call('SandboxVolume.persistent', [name, options], () => SandboxVolume.persistent(name, valueOf(options)));
}

function seconds(value: number): Code {
  return call('Duration.seconds', [value], () => Duration.seconds(value));
}

function call(method: string, given: readonly unknown[], make: () => unknown): Code {
  return new Code(`${method}(${given.map(each => print(each, '  ')).join(', ')})`, make());
}

function member(name: string, values: Readonly<Record<string, string>>, value: string): unknown {
  const key = Object.keys(values).find(each => values[each] === value);
  return key === undefined ? value : new Code(`${name}.${key}`, value);
}

/** The value of a key, if it is the only one. */
function onlyKey(object: any, key: string): unknown {
  return typeof object === 'object' && object !== null && Object.keys(object).length === 1 ? object[key] : undefined;
}
