import * as l1 from '../../imports';
import { WIRE_TYPES } from '../../imports/wire';
import { EXTENSIONS_GROUP, GROUP } from '../generated/vocabulary.gen';
import { Code, quoted } from './code';

/** Enumerations of the L1 constructs, by kind and field. */
const ENUMS: Readonly<Record<string, string>> = {
  'Sandbox spec.operatingMode': 'SandboxSpecOperatingMode',
  'Sandbox spec.shutdownPolicy': 'SandboxSpecShutdownPolicy',
  'SandboxTemplate spec.networkPolicyManagement': 'SandboxTemplateSpecNetworkPolicyManagement',
  'SandboxTemplate spec.envVarsInjectionPolicy': 'SandboxTemplateSpecEnvVarsInjectionPolicy',
  'SandboxTemplate spec.volumeClaimTemplatesPolicy': 'SandboxTemplateSpecVolumeClaimTemplatesPolicy',
  'SandboxClaim spec.lifecycle.shutdownPolicy': 'SandboxClaimLifecycleShutdownPolicy',
  'SandboxWarmPool spec.updateStrategy.type': 'SandboxWarmPoolUpdateStrategyType',
};

const GROUPS: Readonly<Record<string, string>> = {
  Sandbox: GROUP, SandboxTemplate: EXTENSIONS_GROUP, SandboxWarmPool: EXTENSIONS_GROUP, SandboxClaim: EXTENSIONS_GROUP,
};
const CLASSES: Readonly<Record<string, string>> = { v1beta1: '', v1alpha1: 'V1Alpha1' };

/** Name of the L1 class of an object, without `l1.`; undefined where there is none. @internal */
export function layerOneClass({ apiVersion, kind }: { readonly apiVersion: string; readonly kind: string }): string | undefined {
  const [group, version] = String(apiVersion).split('/');
  return Object.hasOwn(GROUPS, kind) && GROUPS[kind] === group && Object.hasOwn(CLASSES, version) ? kind + CLASSES[version] : undefined;
}

/** The spec of an object as props of its L1 class. @internal */
export function layerOneSpec(kind: string, spec: unknown): unknown {
  return fromWire(`${kind}Spec`, spec, `${kind} spec`);
}

/** The inverse of `toWire` of the L1 constructs. */
function fromWire(type: string | undefined, value: any, path: string): unknown {
  if (value === null || value === undefined) {
    return value;
  }
  if (type?.endsWith('[]')) {
    return Array.isArray(value) ? value.map(item => fromWire(type.slice(0, -2), item, path)) : value;
  }
  if (type?.endsWith('{}')) {
    return typeof value === 'object' ? Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fromWire(type.slice(0, -2), item, path)])) : value;
  }
  if (type === 'Quantity' || type === 'IntOrString') {
    return scalar(type, value);
  }
  const enumeration = ENUMS[path];
  if (enumeration) {
    return member(enumeration, value);
  }
  if (Array.isArray(value)) {
    return value.map(item => fromWire(undefined, item, path));
  }
  if (typeof value !== 'object') {
    return value;
  }
  const fields = Object.entries((type && WIRE_TYPES[type]) ?? {});
  return Object.fromEntries(Object.entries(value).map(([key, item]) => {
    const [name, [, itemType]] = fields.find(([, [wireName]]) => wireName === key) ?? [key, [key]];
    return [name, fromWire(itemType, item, `${path}.${key}`)];
  }));
}

function scalar(type: 'Quantity' | 'IntOrString', value: unknown): unknown {
  if (typeof value !== 'string' && typeof value !== 'number') {
    return value;
  }
  return typeof value === 'string'
    ? new Code(`l1.${type}.fromString(${quoted(value)})`, l1[type].fromString(value))
    : new Code(`l1.${type}.fromNumber(${value})`, l1[type].fromNumber(value));
}

function member(enumeration: string, value: unknown): unknown {
  const members: Readonly<Record<string, string>> = (l1 as any)[enumeration];
  const name = Object.keys(members).find(each => members[each] === value);
  return name === undefined ? value : new Code(`l1.${enumeration}.${name}`, value);
}
