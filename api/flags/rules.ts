/** How the value of a flag is written. */
export type FlagType =
  /** `true` or `false`, also `t`, `f`, `1` and `0`; the flag alone means `true`. */
  | 'boolean'
  /** A whole number. */
  | 'integer'
  /** A finite number. */
  | 'number'
  /** A duration as Go programs write it, such as `1m30s`, in whole milliseconds. */
  | 'duration'
  /** A number of seconds with decimals, or a duration as Go programs write it. */
  | 'seconds'
  /** A text that follows the rule `items`. */
  | 'text'
  /** One of `choices`. */
  | 'choice'
  /** Texts separated by commas, each of which follows the rule `items`. Spaces around them and empty ones do not count. */
  | 'list'
  /** A level of zap: debug, info, warn, error, panic, or a number for more than info. */
  | 'logLevel';

/** What values a flag may have. */
export interface FlagRule {
  readonly type: FlagType;
  /** Least value; milliseconds for durations. Default: 0, and no bound for `number`. */
  readonly least?: number;
  /** Greatest value; milliseconds for durations. Default: 2^31 - 1, which is also the longest delay of a timer of Node. No bound for `number`. */
  readonly most?: number;
  readonly choices?: readonly string[];
  /** Rule for a text, or for each text of a list. Default: `any`. */
  readonly items?: TextRuleName;
  /** Whether a list has at least one entry. Default: false. */
  readonly notEmpty?: boolean;
  /** Whether no entry of a list may occur twice. Default: false. */
  readonly unique?: boolean;
}

/** A rule for texts. `pattern` has to match all of a text; it is a regular expression for JavaScript and for Go. */
export interface TextRule {
  readonly pattern: string;
  readonly maxLength?: number;
  /** What the pattern cannot say. */
  readonly test?: (text: string) => boolean;
  /** What a text has to be, to follow "give" or "use". */
  readonly remedy: string;
}

export const INTEGER_MAX = 2 ** 31 - 1;

const LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const PORT = numeral(1, 65535);
const BYTE = numeral(0, 255);
/** A group of an IPv6 address. */
const GROUP = '[0-9A-Fa-f]{1,4}';

/** Rules for texts, by name. */
export const TEXT_RULES = {
  any: { pattern: '[\\s\\S]*', remedy: 'a text' },
  word: { pattern: '[^,\\s]([^,]*[^,\\s])?', remedy: 'a text without commas' },
  dnsLabel: { pattern: LABEL, maxLength: 63, remedy: "1 to 63 lower-case letters, digits and '-', beginning and ending with a letter or digit" },
  dnsSubdomain: {
    pattern: `${LABEL}(\\.${LABEL})*`, maxLength: 253,
    remedy: "1 to 253 lower-case letters, digits, '-' and '.', each part beginning and ending with a letter or digit",
  },
  ports: {
    pattern: `(\\*|${PORT}(-${PORT})?)`,
    test: (text: string) => {
      const [from, to = from] = text.split('-');
      return text === '*' || Number(from) <= Number(to);
    },
    remedy: "a port from 1 to 65535, a range such as '8000-8100', or '*'",
  },
  /** A network that a program believes must not hold the whole Internet, in whatever notation. */
  proxyCidr: {
    pattern: proxyNetworks(),
    remedy: "the addresses of proxies, such as '10.1.2.3' or '10.0.0.0/8': a network with a prefix of at least 8 bits in IPv4, and in IPv6 "
      + '24 (7 in fc00::/7 and fe80::/10, 104 where IPv4 addresses are written as IPv6)',
  },
  origin: {
    pattern: `(\\*|https?://(${LABEL}(\\.${LABEL})*|\\[(${ipv6()})\\])(:${PORT})?)`,
    test: (text: string) => text === '*' || (URL.canParse(text) && new URL(text).origin === text),
    remedy: "an origin of scheme, host and a port that is not the default, such as 'https://app.example.com', or '*'",
  },
  /** Long names of Sandboxes have to fit before it. */
  routeDomain: { pattern: `(${LABEL}(\\.${LABEL})*)?`, maxLength: 190, remedy: 'a domain of at most 190 characters in lower case, such as sandboxes.example.com' },
  pathPrefix: { pattern: '(/[A-Za-z0-9_-]+)*', remedy: "a path of letters, digits, '-' and '_' that does not end in a slash, such as /sandboxes" },
  cookieName: { pattern: '[A-Za-z0-9][A-Za-z0-9_-]{0,63}', remedy: "1 to 64 letters, digits, '-' and '_', beginning with a letter or digit" },
  secureUrl: {
    pattern: '[Hh][Tt][Tt][Pp][Ss]?://.*',
    test: (text: string) => {
      const url = URL.canParse(text) ? new URL(text) : undefined;
      return url?.protocol === 'https:' || (url !== undefined && /^(localhost|.*\.localhost|127\.0\.0\.1|\[::1\])$/.test(url.hostname));
    },
    remedy: 'an https:// URL; http:// only on localhost',
  },
} as const satisfies { readonly [name: string]: TextRule };

export type TextRuleName = keyof typeof TEXT_RULES;

/** The value of a flag: milliseconds of a duration, a level of pino for a log level. */
export type FlagValue = boolean | number | string | readonly string[];

/** Levels of zap, by the names that its flag takes, as pino calls them. */
const LOG_LEVELS: { readonly [level: string]: string } = { debug: 'debug', info: 'info', warn: 'warn', error: 'error', panic: 'fatal' };

/** The levels that `logLevel` takes by name. */
export const LOG_LEVEL_NAMES: readonly string[] = Object.keys(LOG_LEVELS);

/** Reads the text of a flag: its value, or what the text has to be, to follow "give" or "use". */
export function readFlag(rule: FlagRule, text: string): { readonly value: FlagValue } | { readonly remedy: string } {
  const value = valueOf(rule, text);
  return value === undefined ? { remedy: remedyOf(rule) } : { value };
}

/** What a value has to be, to follow "give" or "use". */
export function remedyOf(rule: FlagRule): string {
  const { least, most } = boundsOf(rule);
  switch (rule.type) {
    case 'boolean': return 'true or false';
    case 'integer': return `a whole number from ${least} to ${most}`;
    case 'number': return least === -Infinity ? 'a number' : most === Infinity ? `a number of at least ${least}` : `a number from ${least} to ${most}`;
    case 'duration': return `a duration such as 500ms or 1m30s, from ${formatDuration(least)} to ${formatDuration(most)} in whole milliseconds`;
    case 'seconds': return `a number of seconds or a duration such as 1m30s, from ${formatDuration(least)} to ${formatDuration(most)}`;
    case 'choice': return `one of ${rule.choices!.join(', ')}`;
    case 'logLevel': return `one of ${LOG_LEVEL_NAMES.join(', ')}, or a number`;
    case 'text': return TEXT_RULES[rule.items ?? 'any'].remedy;
    case 'list': {
      const entry = rule.choices ? `one or more of ${rule.choices.join(', ')}` : TEXT_RULES[rule.items ?? 'word'].remedy;
      return `${entry}${rule.notEmpty && !rule.choices ? ', at least once' : ''}${rule.unique ? ', none of them twice' : ''}`;
    }
  }
}

/** The bounds of a value, in milliseconds for durations and seconds. */
export function boundsOf({ type, least, most }: FlagRule): { readonly least: number; readonly most: number } {
  const open = type === 'number';
  return { least: least ?? (open ? -Infinity : 0), most: most ?? (open ? Infinity : INTEGER_MAX) };
}

/** Whether a text follows a rule. */
export function followsRule(name: TextRuleName, text: string): boolean {
  const { pattern, maxLength = Infinity, test }: TextRule = TEXT_RULES[name];
  return text.length <= maxLength && new RegExp(`^(${pattern})$`).test(text) && (test?.(text) ?? true);
}

function valueOf(rule: FlagRule, text: string): FlagValue | undefined {
  switch (rule.type) {
    case 'boolean': return /^(true|t|1)$/i.test(text) ? true : /^(false|f|0)$/i.test(text) ? false : undefined;
    case 'integer': return within(rule, /^[+-]?\d+$/.test(text) ? Number(text) : undefined, Number.isSafeInteger);
    case 'number': return within(rule, number(text), Number.isFinite);
    case 'duration': return within(rule, parseDuration(text), Number.isSafeInteger);
    case 'seconds': {
      const ms = within(rule, parseDuration(text) ?? number(text, 1000), Number.isFinite);
      return ms === undefined ? undefined : ms / 1000;
    }
    case 'logLevel': return /^\d+$/.test(text) ? (Number(text) === 0 ? 'info' : 'debug') : LOG_LEVELS[text];
    case 'choice': return rule.choices!.includes(text) ? text : undefined;
    case 'text': return followsRule(rule.items ?? 'any', text) ? text : undefined;
    case 'list': {
      const entries = entriesOf(text);
      const good = entries.every(entry => rule.choices?.includes(entry) ?? followsRule(rule.items ?? 'word', entry));
      const repeated = rule.unique && new Set(entries).size < entries.length;
      return good && !repeated && (entries.length > 0 || !rule.notEmpty) ? entries : undefined;
    }
  }
}

function within(rule: FlagRule, value: number | undefined, isGood: (value: number) => boolean): number | undefined {
  const { least, most } = boundsOf(rule);
  return value !== undefined && isGood(value) && value >= least && value <= most ? value : undefined;
}

function number(text: string, factor = 1): number | undefined {
  return text.trim() === '' ? undefined : Number(text) * factor;
}

/** The texts between commas, without the spaces around them and without empty ones. */
function entriesOf(text: string): string[] {
  return text.split(',').map(entry => entry.trim()).filter(entry => entry !== '');
}

const UNITS_MS: { readonly [unit: string]: number } = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Milliseconds of a duration as Go programs write it: `5m`, `1h30m`, `250ms`, `1.5s`, `0`. `undefined` for anything else. */
export function parseDuration(text: string): number | undefined {
  const match = /^([+-]?)((?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|ms|s|m|h))+$/.exec(text);
  if (match === null) {
    return /^[+-]?0$/.test(text) ? 0 : undefined;
  }
  const sum = [...text.matchAll(/([\d.]+)(ns|us|µs|ms|s|m|h)/g)].reduce((total, [, amount, unit]) => total + Number(amount) * UNITS_MS[unit!]!, 0);
  // Nanoseconds are the least that Go knows; the products of decimals have more digits than that.
  const ms = Math.round(sum * 1e6) / 1e6;
  return match[1] === '-' ? -ms : ms;
}

/** Milliseconds as Go programs write them: `5m0s`, `1h0m0s`, `1.5s`, `250ms`. */
export function formatDuration(ms: number): string {
  if (ms !== 0 && Math.abs(ms) < 1000) {
    return `${ms}ms`;
  }
  const seconds = Math.abs(ms) / 1000;
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60)];
  const parts = [...(hours > 0 ? [`${hours}h`] : []), ...(minutes > 0 ? [`${minutes % 60}m`] : []), `${Number((seconds % 60).toFixed(3))}s`];
  return `${ms < 0 ? '-' : ''}${parts.join('')}`;
}

/** A pattern for the whole numbers from `least` to `most`, both from 0, in decimal notation without leading zeros. */
export function numeral(least: number, most: number): string {
  const ranges: string[] = [];
  // Each step takes all numbers that share the digits of `from` before its last free ones.
  for (let from = least; from <= most;) {
    let size = 1;
    while (from % (size * 10) === 0 && from >= size * 10 && from + size * 10 - 1 <= most) {
      size *= 10;
    }
    // Numbers with the same digits but for the one before the free ones.
    const digit = Math.floor(from / size) % 10;
    const last = Math.min(9, digit + Math.floor((most - from + 1) / size) - 1);
    const before = Math.floor(from / size / 10);
    const free = Math.round(Math.log10(size));
    ranges.push(`${before > 0 ? before : ''}${digit === last ? digit : `[${digit}-${last}]`}${free === 0 ? '' : free === 1 ? '[0-9]' : `[0-9]{${free}}`}`);
    from += (last - digit + 1) * size;
  }
  return ranges.length === 1 ? ranges[0]! : `(${ranges.join('|')})`;
}

function ipv4(): string {
  return `${BYTE}(\\.${BYTE}){3}`;
}

/** Addresses in all notations of RFC 4291, without a zone. */
function ipv6(): string {
  return `${ipv6Beginning(GROUP)}|${ipv6Beginning('')}`;
}

/** Those whose first group matches a pattern; those that begin with `::` if it is empty. */
function ipv6Beginning(first: string): string {
  const upTo = (count: number, each: string) => (count === 0 ? '' : `(${each}){0,${count}}`);
  const left = (count: number) => (count === 0 ? '::' : `${first}(:${GROUP}){${count - 1}}::`);
  const after = (count: number) => (count === 0 ? '' : `(${GROUP}${upTo(count - 1, `:${GROUP}`)})?`);
  const counts = (most: number) => (first === '' ? [0] : Array.from({ length: most }, (_, index) => index + 1));
  return [
    ...(first === '' ? [] : [`${first}(:${GROUP}){7}`, `${first}:(${GROUP}:){5}${ipv4()}`]),
    ...counts(7).map(count => left(count) + after(7 - count)),
    ...counts(5).map(count => `${left(count)}${upTo(5 - count, `${GROUP}:`)}${ipv4()}`),
  ].join('|');
}

/** Addresses, and networks that are narrow enough to be those of proxies. */
function proxyNetworks(): string {
  const networks = (addresses: string, least: number, most: number) => `(${addresses})(/${numeral(least, most)})?`;
  return `(${[
    networks(ipv4(), 8, 32),
    networks(ipv6Beginning('[Ff][C-Ec-e][0-9A-Fa-f]{2}'), 7, 128),
    networks(ipv6Beginning('[1-9A-Fa-f][0-9A-Fa-f]{3}'), 24, 128),
    // ::ffff:0:0/96 and 64:ff9b::/96 hold all of IPv4.
    networks(`${ipv6Beginning('0?[0-9A-Fa-f]{1,3}')}|${ipv6Beginning('')}`, 104, 128),
  ].join('|')})`;
}
