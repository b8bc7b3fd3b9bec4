import type { Sentinels } from './sentinels';
import type { Entry, Item, Node } from './template';

/** Texts that YAML reads as something else. */
const NOT_PLAIN = /^(true|false|yes|no|on|off|null|y|n|~)$/i;
const PLAIN = /^[A-Za-z/][-\w./]*$/;

/** Expressions that stand for a text that no value has: see `_helpers.tpl`. */
const COMPUTED: readonly (readonly [pattern: RegExp, text: string])[] = [
  [/^--authz-mode=computed$/, '--authz-mode={{ include "agent-sandbox.routerAuthorization" $ }}'],
];

/** Writes nodes as YAML with Go templates in it. */
export class Emitter {
  constructor(private readonly sentinels: Sentinels) {}

  /** The lines of a map. Template lines start at the left margin, which distinguishes them from YAML. */
  public map(entries: readonly Entry[], indent: number): string[] {
    return entries.flatMap(entry => guarded(entry.condition, this.entry(entry, indent)));
  }

  private entry({ key, node }: Entry, indent: number): string[] {
    const space = ' '.repeat(indent);
    if (key === undefined) {
      return [`{{- with ${(node as { expression: string }).expression} }}`, `{{- toYaml . | nindent ${indent} }}`, '{{- end }}'];
    }
    const name = this.key(key);
    switch (node.type) {
      case 'raw':
        return [`${space}${name}:`, `{{- toYaml ${node.expression} | nindent ${indent + 2} }}`];
      case 'literal':
        return [`${space}${name}: ${this.scalar(node.value)}`];
      case 'choice':
        return this.choice(node, `${space}${name}: `);
      case 'map':
        return node.entries.length === 0 ? [`${space}${name}: {}`] : [`${space}${name}:`, ...this.map(node.entries, indent + 2)];
      case 'list':
        return node.items.length === 0 ? [`${space}${name}: []`] : [`${space}${name}:`, ...this.list(node.items, indent + 2)];
    }
  }

  private list(items: readonly Item[], indent: number): string[] {
    return items.flatMap(item => {
      const { node, range, splice } = item;
      if (splice) {
        return guarded(item.condition, [`{{- toYaml ${(node as { expression: string }).expression} | nindent ${indent} }}`]);
      }
      const lines = this.item(node, indent, range !== undefined);
      return range ? [`{{- range ${range} }}`, ...lines, '{{- end }}'] : guarded(item.condition, lines);
    });
  }

  private item(node: Node, indent: number, inRange: boolean): string[] {
    const space = ' '.repeat(indent);
    switch (node.type) {
      case 'literal':
        return [`${space}- ${this.scalar(node.value, inRange)}`];
      case 'choice':
        return this.choice(node, `${space}- `);
      case 'map': {
        const lines = inRange ? new InRange(this.sentinels).map(node.entries, indent + 2) : this.map(node.entries, indent + 2);
        const first = lines.findIndex(line => !line.startsWith('{{'));
        // A dash before a template would have to go into each of its branches.
        return first === 0 ? [`${space}- ${lines[0].trimStart()}`, ...lines.slice(1)] : [`${space}-`, ...lines];
      }
      default:
        throw new Error(`no template for a ${node.type} in a list`);
    }
  }

  private choice(node: Node & { type: 'choice' }, prefix: string): string[] {
    const flag = this.booleanFlag(node);
    if (flag) {
      return [`${prefix}${flag}`];
    }
    const lines = (branch: Node): string[] => (branch.type === 'choice' ? this.choice(branch, prefix)
      : branch.type === 'literal' ? [`${prefix}${this.scalar(branch.value)}`]
        : this.entry({ key: prefix.trim().slice(0, -1), node: branch }, prefix.length - prefix.trimStart().length));
    return [`{{- if ${node.condition} }}`, ...lines(node.then), '{{- else }}', ...lines(node.else), '{{- end }}'];
  }

  /** A flag that is `true` or `false` as its value is. */
  private booleanFlag({ condition, then, else: otherwise }: Node & { type: 'choice' }): string | undefined {
    if (then.type !== 'literal' || otherwise.type !== 'literal' || !/^(not )?\$\.Values\.[\w.]+$/.test(condition)) {
      return undefined;
    }
    const match = /^(--[a-z-]+)=(true|false)$/.exec(String(then.value));
    const opposite = match && `${match[1]}=${match[2] === 'true' ? 'false' : 'true'}`;
    return opposite === otherwise.value ? `"${match![1]}={{ ${condition.replace(/^not /, '')} }}"` : undefined;
  }

  protected scalar(value: unknown, inRange = false): string {
    if (typeof value === 'number') {
      const sentinel = this.sentinels.number(value);
      return sentinel ? (inRange ? '{{ int64 . }}' : sentinel.expression) : String(value);
    }
    if (typeof value !== 'string') {
      return JSON.stringify(value);
    }
    if (inRange && this.sentinels.element(value)) {
      return '{{ . | quote }}';
    }
    return this.text(COMPUTED.reduce((text, [pattern, replacement]) => (pattern.test(text) ? replacement : text), value), value);
  }

  private text(text: string, original: string): string {
    if (text !== original) {
      return `"${text}"`;
    }
    const pieces = this.sentinels.pieces(text);
    if (pieces.length === 1 && pieces[0].sentinel) {
      return pieces[0].sentinel.quoted;
    }
    if (pieces.every(({ expression }) => expression === undefined)) {
      return PLAIN.test(text) && !NOT_PLAIN.test(text) ? text : escaped(JSON.stringify(text));
    }
    return `"${pieces.map(piece => piece.expression ?? escaped(JSON.stringify(piece.text).slice(1, -1))).join('')}"`;
  }

  private key(key: string): string {
    return PLAIN.test(key) && !NOT_PLAIN.test(key) ? key : JSON.stringify(key);
  }
}

/** Inside of an item that is there for each of a list. */
class InRange extends Emitter {
  protected scalar(value: unknown): string {
    return super.scalar(value, true);
  }
}

/** What Go would read as a template. */
function escaped(text: string): string {
  return text.replaceAll('{{', '{{ "{{" }}');
}

function guarded(condition: string | undefined, lines: readonly string[]): string[] {
  return condition ? [`{{- if ${condition} }}`, ...lines, '{{- end }}'] : [...lines];
}
