import { Construct } from 'constructs';

/** Longer values than this, as JSON, are cut in messages. */
const MAX_JSON = 200;

/**
 * A value as a message shows it: strings in quotes, objects of classes by their class, and everything else as JSON.
 * Undefined for undefined.
 *
 * @internal
 */
export function show(value: unknown): string | undefined {
  switch (typeof value) {
    case 'undefined': return undefined;
    case 'string': return `'${value}'`;
    case 'boolean':
    case 'number': return String(value);
    case 'bigint': return `${value}n`;
    case 'symbol': return 'a symbol';
    case 'function': return 'a function that was not called';
    default: return value === null || Array.isArray(value) || isPlain(value!) ? json(value) : instance(value!);
  }
}

/**
 * A text from a manifest as it can be shown on a terminal or in a line of a file: characters that steer a terminal, break a line or turn the
 * direction of writing become `\ufffd`.
 *
 * @internal
 */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, '\ufffd');
}

/** Whether an object is a literal, and not of a class. @internal */
export function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  // Literals of another realm, such as those of a test runner, have an Object of their own.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function instance(value: object): string {
  const name = value.constructor?.name || 'object';
  const kind = `${/^[AEIOU]/.test(name) ? 'an' : 'a'} ${name}`;
  return Construct.isConstruct(value) ? `${kind} ('${value.node.path}')` : kind;
}

function json(value: unknown): string {
  const seen: unknown[] = [];
  const text = JSON.stringify(value, function (_, item) {
    if (typeof item !== 'object' || item === null) {
      return typeof item === 'bigint' || typeof item === 'function' ? show(item) : item;
    }
    if (!Array.isArray(item) && !isPlain(item) && typeof item.toJSON !== 'function') {
      return instance(item);
    }
    if (seen.includes(item)) {
      return '…';
    }
    seen.push(item);
    return item;
  });
  return text.length > MAX_JSON ? `${text.slice(0, MAX_JSON)}…` : text;
}
