/**
 * Rules for single values, those of Kubernetes' API server. Each returns what to do about a bad value, or undefined.
 */
import { posix } from 'node:path';
import { Quantity } from './quantity';

const DNS_LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const DNS_1035_LABEL = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;
const DNS_SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const LABEL_VALUE = /^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$/;
const ENV_NAME = /^[-._a-zA-Z][-._a-zA-Z0-9]*$/;
// RFC 3339; Kubernetes requires seconds and a zone.
const TIME = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})?$/;

/** @internal */
export type Rule<T> = (value: T) => string | undefined;

/** @internal */
export function dnsLabel(value: string): string | undefined {
  return value.length <= 63 && DNS_LABEL.test(value)
    ? undefined
    : "use 1 to 63 lower-case letters, digits and '-', beginning and ending with a letter or digit";
}

/** Names of Services. @internal */
export function dns1035Label(value: string): string | undefined {
  return value.length <= 63 && DNS_1035_LABEL.test(value)
    ? undefined
    : "use 1 to 63 lower-case letters, digits and '-', beginning with a letter and ending with a letter or digit";
}

/** Names of most objects. @internal */
export function dnsSubdomain(value: string): string | undefined {
  return value.length <= 253 && DNS_SUBDOMAIN.test(value)
    ? undefined
    : "use 1 to 253 lower-case letters, digits, '-' and '.', each part beginning and ending with a letter or digit";
}

/** @internal */
export function labelValue(value: string): string | undefined {
  return value.length <= 63 && LABEL_VALUE.test(value)
    ? undefined
    : "use at most 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit";
}

/** Keys of labels and annotations. @internal */
export function qualifiedName(value: string): string | undefined {
  const [name, prefix, ...more] = value.split('/').reverse();
  const good = more.length === 0 && name !== '' && labelValue(name) === undefined && (prefix === undefined || dnsSubdomain(prefix) === undefined);
  return good ? undefined : "use '<name>' or '<dns domain>/<name>', the name of 1 to 63 letters, digits, '-', '_' and '.'";
}

/** @internal */
export function envName(value: string): string | undefined {
  return ENV_NAME.test(value) && value !== '.' && !value.startsWith('..')
    ? undefined
    : "use letters, digits, '_', '-' and '.', not beginning with a digit or '..'";
}

/** @internal */
export function portNumber(value: number): string | undefined {
  return Number.isInteger(value) && value >= 1 && value <= 65535 ? undefined : 'use a whole number from 1 to 65535';
}

/** Names of container ports (IANA service names). @internal */
export function portName(value: string): string | undefined {
  return value.length <= 15 && DNS_LABEL.test(value) && /[a-z]/.test(value) && !value.includes('--')
    ? undefined
    : "use 1 to 15 lower-case letters, digits and single '-', with at least one letter";
}

/** A whole number within bounds. @internal */
export function integer(min: number, max: number = 2 ** 31 - 1): Rule<number> {
  return value => (Number.isInteger(value) && value >= min && value <= max ? undefined : `use a whole number from ${min} to ${max}`);
}

const UNITS = 'n u m k M G T P E, Ki Mi Gi Ti Pi Ei';
/** A number with a unit that is nearly one of Kubernetes: `512MB`, `512mib`, `10 GB`, `250 m`. */
const NEAR_QUANTITY = /^(\d+(?:\.\d+)?) ?(?:(m|k)|([kmgtpe])i?b?)$/i;

/** An amount that is not negative. @internal */
export function quantity(value: string): string | undefined {
  if (Quantity.tryParse(value)) {
    return undefined;
  }
  const [, number, small, large] = NEAR_QUANTITY.exec(value.trim()) ?? [];
  return number === undefined
    ? `write a non-negative number with an optional unit: '500m', '2', '512Mi', '10Gi' (units: ${UNITS})`
    : `there is no such unit: write '${number}${small?.toLowerCase() ?? `${large.toUpperCase()}i`}' (units: ${UNITS})`;
}

const HUNDRED = Quantity.tryParse('100')!;

/** An amount of CPU: the API takes `1000`, a thousand cores, where `1000m` was meant, and rounds what is finer than `1m`. @internal */
export function cpu(value: string): string | undefined {
  const amount = Quantity.tryParse(value);
  if (!amount) {
    return quantity(value);
  }
  if (!value.endsWith('m') && !HUNDRED.exceeds(amount)) {
    return /^\d+$/.test(value)
      ? `that is ${value} cores: write '${value}m' for thousandths of a core, or '${value}000m' where cores are meant`
      : "CPU is counted in cores and in thousandths of one: write '2' or '500m'";
  }
  return amount.isInThousandths ? undefined : "Kubernetes counts thousandths of a core and rounds up: write whole ones, such as '1m'";
}

/** An amount of bytes, of which there are no fractions: Kubernetes would take `512m` for half a byte. @internal */
export function bytes(value: string): string | undefined {
  const amount = Quantity.tryParse(value);
  return !amount ? quantity(value) : amount.isWhole
    ? undefined
    : "bytes come whole: write '512Mi' or '512M' for millions of them ('m' is a thousandth)";
}

const A_MEBIBYTE = Quantity.tryParse('1Mi')!;

/** Whether an amount is more than nothing and less than a mebibyte. @internal */
export function isFewBytes(value: string): boolean {
  const amount = Quantity.tryParse(value);
  return amount !== undefined && !amount.isZero && A_MEBIBYTE.exceeds(amount);
}

/** An amount of memory: less than a mebibyte lacks a unit, or has the wrong one. @internal */
export function memory(value: string): string | undefined {
  return bytes(value) ?? (isFewBytes(value)
    ? `that is ${/^\d+$/.test(value) ? `${value} bytes` : 'less than a mebibyte'}, in which no program runs: write '${parseInt(value, 10)}Mi'`
    : undefined);
}

/** An amount of storage: a plain number means bytes, and hardly ever is meant to. @internal */
export function storage(value: string): string | undefined {
  return bytes(value) ?? (/^\d+$/.test(value) && isFewBytes(value)
    ? `that is ${value} bytes, which hold next to nothing: write '${value}Gi' or '${value}Mi'`
    : undefined);
}

/** One of the values of an enumeration that the schema leaves open. @internal */
export function oneOf(...values: readonly string[]): Rule<string> {
  const quoted = values.map(value => `'${value}'`);
  return value => (values.includes(value) ? undefined : `use ${quoted.slice(0, -1).join(', ')} or ${quoted.at(-1)}`);
}

/** An absolute point in time, whatever the zone of the machine. @internal */
export function time(value: string): string | undefined {
  const match = TIME.exec(value);
  if (!match) {
    return "write date, time and zone as in RFC 3339: '2027-01-31T17:00:00Z'";
  }
  if (!match[8]) {
    return `add a zone, or it would mean another time on every machine: '${value}Z'`;
  }
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number);
  const date = new Date(Date.UTC(year, month - 1, day, hour, minute, second));
  const sameDay = date.getUTCFullYear() === year && date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
  const exists = sameDay && hour < 24 && minute < 60 && second < 60;
  const zone = match[8] === 'Z' || (Number(match[8].slice(1, 3)) < 24 && Number(match[8].slice(4)) < 60);
  return exists && zone ? undefined : "there is no such time: check day, hour and zone, for example '2027-01-31T17:00:00Z'";
}

/** An absolute path in a container that a volume can be mounted at. @internal */
export function absolutePath(value: string): string | undefined {
  return value.includes(':') ? NO_COLON : folder(value, NO_COLON);
}

const NO_COLON = "write an absolute path without ':', such as '/workspace'";

/** An absolute path in a container; `remedy` says what to write instead of a relative one. @internal */
export function folder(value: string, remedy = "write an absolute path, such as '/workspace'"): string | undefined {
  if (!value.startsWith('/')) {
    return remedy;
  }
  // A slash at the end is harmless, and the root is what others have to judge.
  const parts = value.replace(/^\/+|\/+$/g, '').split('/');
  return parts[0] !== '' && parts.some(part => part === '' || part === '.' || part === '..')
    ? `leave '.', '..' and doubled slashes out: write '${posix.normalize(value)}'`
    : undefined;
}

/** The path of an HTTP request. @internal */
export function requestPath(value: string): string | undefined {
  return value.startsWith('/') ? undefined : "begin it with '/', such as '/healthz'";
}
