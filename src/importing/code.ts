/**
 * An expression of TypeScript beside the value that it has, so that what is printed can be tried at once. Objects and lists that hold such
 * expressions are expressions, too.
 *
 * @internal
 */
export class Code {
  public constructor(public readonly text: string, public readonly value: unknown) {}
}

const WIDTH = 120;

/** The value of an expression. @internal */
export function valueOf(expression: unknown): any {
  if (expression instanceof Code) {
    return expression.value;
  }
  if (Array.isArray(expression)) {
    return expression.map(valueOf);
  }
  return typeof expression === 'object' && expression !== null
    ? Object.fromEntries(Object.entries(expression).map(([key, item]) => [key, valueOf(item)]))
    : expression;
}

/** The text of an expression, its further lines indented. @internal */
export function print(expression: unknown, indent = ''): string {
  if (expression instanceof Code) {
    return expression.text;
  }
  if (typeof expression === 'string') {
    return quoted(expression);
  }
  if (typeof expression !== 'object' || expression === null) {
    return String(expression);
  }
  const deeper = `${indent}  `;
  const items = Array.isArray(expression)
    ? expression.map(item => print(item, deeper))
    : Object.entries(expression).filter(([, item]) => item !== undefined).map(([key, item]) => `${property(key)}: ${print(item, deeper)}`);
  const [open, close, space] = Array.isArray(expression) ? ['[', ']', ''] : ['{', '}', ' '];
  if (items.length === 0) {
    return open + close;
  }
  const short = `${open}${space}${items.join(', ')}${space}${close}`;
  return short.length + indent.length <= WIDTH && !short.includes('\n') ? short : `${open}\n${items.map(item => `${deeper}${item},\n`).join('')}${indent}${close}`;
}

/** A string in single quotes. @internal */
export function quoted(text: string): string {
  return `'${JSON.stringify(text).slice(1, -1).replace(/\\"/g, '"').replace(/'/g, "\\'")}'`;
}

function property(key: string): string {
  // A literal of this name would set the prototype.
  return key === '__proto__' ? "['__proto__']" : /^[A-Za-z_$][\w$]*$/.test(key) ? key : quoted(key);
}
