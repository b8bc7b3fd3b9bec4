import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { type Knob, isAlways, isBoolean } from './knob';

/** A value that occurs nowhere else, in what is synthesized, and the Go template that stands for it. */
export interface Sentinel {
  readonly knob: Knob;
  readonly value: unknown;
  /** What shows up of it: a text, or a number. */
  readonly shown: string;
  /** The template where the value is part of a text. */
  readonly expression: string;
  /** The template where it is all of a text, with quotes. */
  readonly quoted: string;
}

/** What stands for the namespace of the release. */
export const NAMESPACE = 'zz-namespace-zz';
const RELEASE_NAMESPACE = '$.Release.Namespace';

/** The first of the numbers. None of them is a multiple of 1000, so that as milliseconds they are no seconds. */
const FIRST = 7_070_001;

export class Sentinels {
  private readonly all: Sentinel[];

  constructor(knobs: readonly Knob[]) {
    this.all = knobs.filter(knob => !isBoolean(knob)).map((knob, index) => sentinel(knob, FIRST + index));
  }

  public of(knob: Knob): Sentinel {
    return this.all.find(one => one.knob === knob)!;
  }

  /** The sentinel that a number is. */
  public number(value: number): Sentinel | undefined {
    return this.all.find(one => one.shown === String(value));
  }

  /** The sentinel that a whole value is: an object or list of a user. */
  public whole(value: unknown): Sentinel | undefined {
    return typeof value === 'object' ? this.all.find(one => isRaw(one.knob) && isDeepStrictEqual(one.value, value)) : undefined;
  }

  /** The sentinel of which an item of a list is the only item. */
  public item(value: unknown): Sentinel | undefined {
    return this.all.find(one => one.knob.type === 'objects' && isDeepStrictEqual((one.value as unknown[])[0], value));
  }

  /** The sentinel of a map that has this key. */
  public key(key: string): Sentinel | undefined {
    return this.all.find(one => one.knob.type === 'map' && key in (one.value as object));
  }

  /** The list of texts or numbers of which `value` is the only item. */
  public element(value: unknown): Sentinel | undefined {
    return this.all.find(({ knob, shown }) => (knob.type === 'strings' || knob.type === 'integers') && shown === String(value));
  }

  /** The pieces of a text: as it is, or the expression of a sentinel or of its checksum. */
  public pieces(text: string): readonly { readonly text?: string; readonly sentinel?: Sentinel; readonly expression?: string }[] {
    const checksum = this.all.find(({ knob, shown }) => knob.type === 'strings' && sha256(shown) === text);
    if (checksum) {
      return [{ expression: checksum.expression.replace(/ }}$/, ' | sha256sum }}') }];
    }
    const known = [...this.all.map(({ shown }) => shown).filter(shown => shown !== ''), NAMESPACE];
    const pattern = new RegExp(`(${known.map(one => one.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&')).sort((a, b) => b.length - a.length).join('|')})`);
    return text.split(pattern).filter(Boolean).map(piece => {
      const found = this.all.find(({ shown }) => shown === piece);
      return found ? { sentinel: found, expression: found.expression } : piece === NAMESPACE ? { expression: `{{ ${RELEASE_NAMESPACE} }}` } : { text: piece };
    });
  }
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** Whether users write YAML of Kubernetes into a value. */
function isRaw({ type }: Knob): boolean {
  return type === 'map' || type === 'object' || type === 'objects' || type === 'pullSecrets';
}

function sentinel(knob: Knob, number: number): Sentinel {
  const text = knob.flag?.type === 'logLevel' ? String(number) : `zz-${number}-zz`;
  const path = pathOf(knob);
  const made = (value: unknown, shown: string, inner: string): Sentinel => {
    const expression = knob.expression ?? `{{ ${inner} }}`;
    return { knob, value: knob.sentinel ?? value, shown: knob.sentinel === undefined ? shown : String([knob.sentinel].flat()[0]), expression, quoted: expression.replace(/ }}$/, ' | quote }}') };
  };
  switch (knob.type) {
    case 'image':
      return made({ repository: text }, text, `include "agent-sandbox.image" (list ${path} "${knob.value}" $.Values.global)`);
    case 'integer': case 'seconds': case 'milliseconds':
      return made(number, String(number), `int64 ${path}`);
    case 'number':
      return made(number + 0.5, String(number + 0.5), path);
    case 'duration':
      return knob.flag ? made(`${number}ms`, `${number}ms`, path) : made(`${number}s`, `${number}s`, path);
    case 'quantity': {
      const amount = `${number}${knob.value.endsWith('.cpu') ? 'm' : 'Ki'}`;
      return made(amount, amount, path);
    }
    case 'strings':
      return made([text], text, `join "${knob.separator ?? ','}" ${path}`);
    case 'integers':
      return made([number % 65536], String(number % 65536), path);
    case 'map': case 'object':
      return made({ [text]: text }, '', path);
    case 'objects': case 'pullSecrets':
      return made([{ name: text }], '', path);
    default:
      return made(text, text, path);
  }
}

/** What a template reads a knob from. Secrets of registries may also be named for all charts that this one is part of. */
export function pathOf({ type, value }: Knob): string {
  return type === 'pullSecrets' ? `(concat $.Values.${value} (($.Values.global).imagePullSecrets | default list))` : `$.Values.${value}`;
}

/** The condition under which a knob does not have its default. */
export function condition(knob: Knob): string {
  const path = pathOf(knob);
  if (knob.condition !== undefined) {
    return knob.condition;
  }
  return isBoolean(knob) ? (knob.default ? `not ${path}` : path) : knob.default === null ? `not (kindIs "invalid" ${path})` : path;
}

/** Knobs whose value shows up under a condition. */
export function toggles(knobs: readonly Knob[]): Knob[] {
  return knobs.filter(knob => !isAlways(knob));
}
