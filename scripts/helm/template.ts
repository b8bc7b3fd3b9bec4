import { isDeepStrictEqual } from 'node:util';
import type { Knob } from './knob';
import { type Sentinels, condition, pathOf } from './sentinels';

/** A document with conditions in it. */
export type Node =
  | { readonly type: 'literal'; readonly value: unknown }
  /** Whatever a user wrote, at this place. */
  | { readonly type: 'raw'; readonly expression: string }
  | { readonly type: 'map'; readonly entries: readonly Entry[] }
  | { readonly type: 'list'; readonly items: readonly Item[] }
  | { readonly type: 'choice'; readonly condition: string; readonly then: Node; readonly else: Node };

export interface Entry {
  /** Undefined: the entries of a map that a user wrote, without the keys that are there already. */
  readonly key?: string;
  readonly condition?: string;
  readonly node: Node;
}

export interface Item {
  /** Whether the node is a list of a user whose items belong here. */
  readonly splice?: boolean;
  readonly condition?: string;
  /** The list that there is an item for each of. */
  readonly range?: string;
  readonly node: Node;
}

export interface Variant {
  readonly knob: Knob;
  readonly value: any;
}

export const not = (text: string) => (text.startsWith('not ') ? text.slice(4) : `not ${/[ (]/.test(text) ? `(${text})` : text}`);
const joined = (operator: string, conditions: readonly string[]) => (conditions.length === 0 ? undefined
  : conditions.length === 1 ? conditions[0] : `${operator} ${conditions.map(one => (one.includes(' ') ? `(${one})` : one)).join(' ')}`);
/** All of them; undefined if there are none. */
export const allOf = (conditions: readonly string[]) => joined('and', conditions);
const anyOf = (conditions: readonly string[]) => joined('or', conditions);

const isMap = (value: unknown): value is Record<string, any> => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Merges what each knob makes of a value into one node. */
export class Merger {
  constructor(private readonly sentinels: Sentinels) {}

  public merge(base: any, variants: readonly Variant[]): Node {
    const relevant = variants.filter(({ value }) => !isDeepStrictEqual(value, base));
    if (isMap(base) && relevant.every(({ value }) => isMap(value)) && !this.sentinels.whole(base)) {
      return this.map(base, relevant);
    }
    if (Array.isArray(base) && relevant.every(({ value }) => Array.isArray(value)) && !this.sentinels.whole(base)) {
      return this.list(base, relevant);
    }
    if (relevant.length === 0) {
      const whole = this.sentinels.whole(base);
      return whole ? { type: 'raw', expression: pathOf(whole.knob) } : { type: 'literal', value: base };
    }
    const [first, ...rest] = relevant;
    // A single replica: the number is that of the user in any case.
    if (typeof base === 'number' && this.sentinels.number(base)?.knob.value === first.knob.value.replace(/ is 1$/, '')) {
      return this.merge(base, rest);
    }
    return { type: 'choice', condition: condition(first.knob), then: this.merge(first.value, []), else: this.merge(base, rest) };
  }

  private map(base: Record<string, any>, variants: readonly Variant[]): Node {
    const keys = [...new Set([...Object.keys(base), ...variants.flatMap(({ value }) => Object.keys(value))])];
    const fixed = keys.filter(key => !this.sentinels.key(key));
    const entries = keys.map((key): Entry => {
      const users = this.sentinels.key(key);
      const having = variants.filter(({ value }) => key in value);
      const below = having.map(({ knob, value }) => ({ knob, value: value[key] }));
      if (users) {
        const path = pathOf(users.knob);
        const omitted = fixed.map(one => JSON.stringify(one)).join(' ');
        return { node: { type: 'raw', expression: omitted ? `omit ${path} ${omitted}` : path } };
      }
      if (key in base) {
        const removing = variants.filter(({ value }) => !(key in value)).map(({ knob }) => not(condition(knob)));
        return { key, condition: allOf(removing), node: this.merge(base[key], below) };
      }
      return { key, condition: anyOf(having.map(({ knob }) => condition(knob))), node: this.added(below) };
    });
    return { type: 'map', entries };
  }

  /** What several knobs bring where there is nothing without them. */
  private added(variants: readonly Variant[]): Node {
    const [{ value }] = variants;
    const same = variants.every(other => isDeepStrictEqual(other.value, value));
    return same ? this.merge(value, []) : this.merge(Array.isArray(value) ? [] : {}, variants);
  }

  private list(base: readonly any[], variants: readonly Variant[]): Node {
    const slots: Slot[] = base.map((value, index) => ({ id: idOf(value), index, value, changes: [], removed: [] }));
    for (const { knob, value } of variants) {
      const sameLength = value.length === base.length;
      const found = new Set<Slot>();
      let position = 0;
      value.forEach((item: any, index: number) => {
        const id = idOf(item);
        const at = slots.findIndex(slot => slot.by === undefined && !found.has(slot) && slot.id === id
          && (id !== undefined || (sameLength ? slot.index === index : isDeepStrictEqual(slot.value, item))));
        if (at >= 0 && !(this.rangeOf(item) && !isDeepStrictEqual(slots[at].value, item))) {
          slots[at].changes.push({ knob, value: item });
          found.add(slots[at]);
          position = at + 1;
          return;
        }
        // Behind what earlier knobs have put at this place.
        while (slots[position]?.by !== undefined && slots[position].by !== knob) {
          position++;
        }
        slots.splice(position++, 0, { id, value: item, changes: [], removed: [], by: knob });
      });
      slots.filter(slot => slot.by === undefined && !found.has(slot)).forEach(slot => slot.removed.push(knob));
    }
    return { type: 'list', items: slots.map(slot => this.item(slot)) };
  }

  private item({ value, changes, removed, by }: Slot): Item {
    const users = this.sentinels.item(value);
    if (users) {
      return { splice: true, condition: condition(users.knob), node: { type: 'raw', expression: pathOf(users.knob) } };
    }
    const range = this.rangeOf(value);
    const conditions = by ? [condition(by)] : removed.map(knob => not(condition(knob)));
    return { condition: range ? undefined : allOf(conditions), range, node: this.merge(value, changes) };
  }

  /** The list of a user that has an item for each of, if there is one. */
  private rangeOf(value: unknown): string | undefined {
    const found = leaves(value).map(leaf => this.sentinels.element(leaf)).find(Boolean);
    return found && pathOf(found.knob);
  }
}

/** An item of a list, with what knobs make of it. */
interface Slot {
  readonly id?: string;
  readonly index?: number;
  readonly value: any;
  readonly changes: Variant[];
  readonly removed: Knob[];
  /** The knob without which it is not there. */
  readonly by?: Knob;
}

/** Values in maps, but not in lists: those have items of their own. */
function leaves(value: unknown): unknown[] {
  return isMap(value) ? Object.values(value).flatMap(leaves) : [value];
}

/** What tells an item of a list from the others, so that it is found again in another list. */
function idOf(item: any): string | undefined {
  if (isMap(item)) {
    const id = item.name ?? item.port ?? item.alert ?? item.expression ?? item.topologyKey;
    return id === undefined ? undefined : String(id);
  }
  return typeof item === 'string' && item.startsWith('--') ? item.replace(/=.*/, '') : String(item);
}
