import { Yaml } from 'cdk8s';
import { isPlain } from './show';

const PATCHED = Symbol.for('cdk8s-agent-sandbox.yaml');
/** Octal numbers of YAML 1.2; those of 1.1 are quoted already. Go's reader, which kubectl has, knows both. */
const NUMBER = /^[-+]?0o[0-7]+$/;
/** `=` and `<<` have meanings of their own in YAML 1.1. Later versions of the library write `<<` as it is, which readers take for text as a value. */
const SPECIAL = /^(=|<<)$/;

/**
 * Has cdk8s quote strings, keys of maps among them, that a reader of YAML 1.2 takes for something else. It writes for readers of 1.1, in
 * which `0o17` is a string.
 *
 * @internal
 */
export function quoteForAllReaders(): void {
  const yaml = Yaml as unknown as { stringify: (...docs: unknown[]) => string; [PATCHED]?: boolean };
  if (yaml[PATCHED]) {
    return;
  }
  const stringify = yaml.stringify;
  yaml.stringify = (...docs) => stringify.apply(yaml, docs.map(quoted));
  yaml[PATCHED] = true;
}

/** The same value, with nodes in place of what is misread: the value itself where nothing is, which is nearly always. */
function quoted(value: unknown): unknown {
  if (typeof value === 'string') {
    return isMisread(value) ? scalar(value) : value;
  }
  if (typeof value !== 'object' || value === null) {
    return value;
  }
  if (Array.isArray(value)) {
    return value.some(hasMisread) ? value.map(quoted) : value;
  }
  if (!isPlain(value) || !hasMisread(value)) {
    return value;
  }
  const entries = Object.entries(value).map(([key, item]) => [quoted(key), quoted(item)] as const);
  // Only a Map has keys that are nodes. By itself it would become an ordered map, which YAML 1.1 writes as a list.
  return entries.every(([key]) => typeof key === 'string') ? Object.fromEntries(entries) : { toJSON: () => new Map(entries) };
}

function hasMisread(value: unknown): boolean {
  if (typeof value === 'string') {
    return isMisread(value);
  }
  if (typeof value !== 'object' || value === null) {
    return false;
  }
  if (Array.isArray(value)) {
    return value.some(hasMisread);
  }
  if (isPlain(value)) {
    for (const key in value) {
      if (isMisread(key) || hasMisread((value as Record<string, unknown>)[key])) {
        return true;
      }
    }
  }
  return false;
}

function isMisread(text: string): boolean {
  // No pattern matches without one of these at the start, and most strings have a letter there.
  const first = text.charCodeAt(0);
  return first < 0x40 && (NUMBER.test(text) || SPECIAL.test(text));
}

/** A node as the library yaml knows it, also another copy or version of it. */
function scalar(value: string): object {
  return { [Symbol.for('yaml.node.type')]: Symbol.for('yaml.scalar'), type: 'QUOTE_DOUBLE', value };
}
