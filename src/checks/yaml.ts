import { Yaml } from 'cdk8s';
import { isPlain } from './show';

const PATCHED = Symbol.for('cdk8s-agent-sandbox.yaml');
/** Octal numbers of YAML 1.2; those of 1.1 are quoted already. Go's reader, which kubectl has, knows both. */
const NUMBER = /^[-+]?0o[0-7]+$/;
/** `=` and `<<` have meanings of their own in YAML 1.1. */
const SPECIAL = /^(=|<<)$/;

/**
 * Has cdk8s quote strings that a reader of YAML 1.2 takes for numbers. It writes for readers of 1.1, in which `0o17` is a string.
 * Keys stay as they are: the library has no way to quote one.
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

function quoted(value: unknown): unknown {
  if (typeof value === 'string') {
    return isMisread(value) ? scalar(value) : value;
  }
  if (Array.isArray(value)) {
    return value.map(quoted);
  }
  if (typeof value !== 'object' || value === null || !isPlain(value)) {
    return value;
  }
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, quoted(item)]));
}

function isMisread(text: string): boolean {
  return NUMBER.test(text) || SPECIAL.test(text);
}

/** A node as the library yaml knows it, also another copy or version of it. */
function scalar(value: string): object {
  return { [Symbol.for('yaml.node.type')]: Symbol.for('yaml.scalar'), type: 'QUOTE_DOUBLE', value };
}
