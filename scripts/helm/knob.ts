import { Duration } from 'cdk8s';
import type { Flag } from '../../api/flags/flag';
import type { AgentSandboxControllerProps } from '../../src';

/** What a value is, in Helm and in the props: how it is read, written, checked, and recognised in what is synthesized. */
export type KnobType =
  | 'string' | 'integer' | 'number' | 'boolean' | 'duration' | 'milliseconds' | 'seconds' | 'quantity'
  | 'strings' | 'integers' | 'map' | 'object' | 'objects' | 'image' | 'secret' | 'pullSecrets'
  /** A boolean that brings an object of props into being. */
  | 'part';

/** One value of the Helm chart, and the prop of the construct that it is. */
export interface Knob {
  /** Path in `values.yaml`. */
  readonly value: string;
  /** Path in the props. */
  readonly prop: string;
  readonly type: KnobType;
  /** `null`, `''`, `[]` and `{}` leave the prop unset, and so does a boolean that has its default. */
  readonly default: unknown;
  readonly description: string;
  /** The flag that it is, which says what values there may be. */
  readonly flag?: Flag;
  /** Least value of a number that is no flag. @default 0 */
  readonly least?: number;
  /** The allowed values. */
  readonly choices?: readonly string[];
  /** Another value that is there for this one to count; without it the prop is not set. */
  readonly with?: string;
  /** Another value that must not be there for this one to count. */
  readonly without?: string;
  /** A value to recognise it by, where the usual one is not well-formed. */
  readonly sentinel?: unknown;
  /** A value as a user writes it, other than the default, where not every value of the type will do. */
  readonly example?: unknown;
  /** Go template of the value, where it is not the value itself. Such a value is always set. */
  readonly expression?: string;
  /** Go template of the condition, where it is not the presence of the value. */
  readonly condition?: string;
  /** Values that have to be there as well, for the construct to take it. */
  readonly together?: { readonly [value: string]: unknown };
  /** What joins the items of a list inside a string. */
  readonly separator?: string;
}

export type Values = { [key: string]: unknown };
export type Props = AgentSandboxControllerProps;

/** The value at a path, undefined where there is none. */
export function valueAt(values: unknown, path: string): any {
  return path.split('.').reduce((value: any, key) => value?.[key], values);
}

/** Sets the value at a path. */
export function setAt(values: Values, path: string, value: unknown): void {
  const keys = path.split('.');
  const last = keys.pop()!;
  const parent = keys.reduce((map: any, key) => (map[key] ??= {}), values);
  parent[last] = value;
}

/** Whether a value says anything. */
export function isSet(value: unknown): boolean {
  return value !== undefined && value !== null && value !== ''
    && !(Array.isArray(value) && value.length === 0) && !(typeof value === 'object' && !Array.isArray(value) && Object.keys(value).length === 0);
}

/** Whether a knob has a default value: its value is then in all manifests, that of others only under a condition. */
export function isAlways(knob: Knob): boolean {
  return !isBoolean(knob) && (knob.expression !== undefined || isSet(knob.default) || knob.type === 'image');
}

/** The props that values mean. */
export function propsOf(knobs: readonly Knob[], values: Values): Props {
  const props: any = {};
  const isThere = (path: string) => isSet(valueAt(values, path)) && valueAt(values, path) !== false;
  for (const knob of knobs) {
    const value = valueAt(values, knob.value);
    const counts = (knob.with === undefined || isThere(knob.with)) && (knob.without === undefined || !isThere(knob.without));
    const says = isBoolean(knob) ? value !== knob.default : isSet(value);
    if (says && counts) {
      setAt(props, knob.prop, propOf(knob.type, value));
    }
  }
  return props;
}

/** Whether a knob is on or off. */
export function isBoolean({ type }: Knob): boolean {
  return type === 'boolean' || type === 'part';
}

function propOf(type: KnobType, value: any): unknown {
  switch (type) {
    case 'duration': return parseDuration(value);
    case 'milliseconds': return Duration.millis(value);
    case 'seconds': return Duration.seconds(value);
    case 'secret': return { name: value };
    case 'part': return {};
    case 'image': return `${value.repository}${value.tag ? `:${value.tag}` : ''}${value.digest ? `@${value.digest}` : ''}`;
    default: return value;
  }
}

/** A duration of one unit, as values have it. */
function parseDuration(text: string): Duration {
  const match = /^(\d+)(ms|s|m|h)$/.exec(text);
  if (!match) {
    throw new Error(`'${text}' is no duration: write 500ms, 30s, 5m or 1h`);
  }
  const amount = Number(match[1]);
  return { ms: Duration.millis, s: Duration.seconds, m: Duration.minutes, h: Duration.hours }[match[2] as 'ms' | 's' | 'm' | 'h'](amount);
}
