import * as path from 'node:path';
import Ajv from 'ajv';
import { Duration } from 'cdk8s';
import * as fc from 'fast-check';
import { CONTROLLER } from '../../api/flags/controller';
import type { Flag, Program } from '../../api/flags/flag';
import { ROUTER } from '../../api/flags/router';
import { type FlagType, INTEGER_MAX, boundsOf } from '../../api/flags/rules';
import { RUNTIME } from '../../api/flags/runtime';
import { setAt } from '../../scripts/helm/knob';
import { KNOBS } from '../../scripts/helm/knobs';
import { valuesSchema } from '../../scripts/helm/values';
import { AgentSandboxController } from '../../src';
import { withPlaceholders } from '../../src/checks';
import { testApp } from '../helpers';
import { IMAGE, ROUTER as ROUTER_IMAGE } from './helpers';
import { runTypeScript } from '../typescript';

jest.setTimeout(180_000);

/** One value as each of the three has it. */
interface Trial {
  readonly prop: unknown;
  readonly helm: unknown;
  readonly text: string;
}

const same = (value: unknown): Trial => ({ prop: value, helm: value, text: Array.isArray(value) ? value.join(',') : String(value) });
const UNITS = { ms: Duration.millis, s: Duration.seconds, m: Duration.minutes, h: Duration.hours };
const MILLISECONDS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Numbers inside, on and beyond bounds. */
function around(least: number, most: number): fc.Arbitrary<number> {
  const [from, to] = [Math.ceil(Math.max(least, -1e6)), Math.floor(Math.min(most, Number.MAX_SAFE_INTEGER))];
  return fc.oneof(
    fc.integer({ min: from, max: to }), fc.constantFrom(from - 1, from, from + 1, to - 1, to, to + 1), fc.integer({ min: -10, max: 10 }), fc.double({ noNaN: true, noDefaultInfinity: true }),
  );
}

const NOT_NUMBERS = fc.constantFrom<unknown>('many', 'true', '1s2', '--', true, false);
const LABELS = fc.oneof(fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,8}[a-z0-9])?$/), fc.stringMatching(/^[-a-z0-9A-Z_.*]{1,9}$/), fc.constantFrom('x'.repeat(63), 'x'.repeat(64)));
const ITEMS: { readonly [rule: string]: fc.Arbitrary<string> } = {
  any: fc.string(),
  // Commas and spaces around an entry vanish on a command line: see the test below.
  word: fc.oneof(fc.stringMatching(/^[a-z]{1,9}$/), fc.stringMatching(/^[!-+.-~]([ -+.-~]{0,9}[!-+.-~])?$/)),
  dnsLabel: LABELS,
  dnsSubdomain: fc.oneof(fc.array(LABELS, { minLength: 1, maxLength: 4 }).map(labels => labels.join('.')), fc.constantFrom('x'.repeat(253), 'x'.repeat(254))),
  ports: fc.oneof(
    fc.constantFrom('*', '0', '1', '65535', '65536', '70000', '080', '8000-', '-1', '1-65535', '1-65536', 'http'),
    // Ranges that end before they begin are no business of a schema: see the test of the chart.
    fc.tuple(fc.nat(70_000), fc.nat(70_000)).map(ends => ends.sort((a, b) => a - b).join('-')), fc.nat(70_000).map(String),
  ),
  proxyCidr: fc.oneof(
    fc.ipV4(), fc.ipV6(), fc.tuple(fc.ipV4(), fc.nat(40)).map(parts => parts.join('/')), fc.tuple(fc.ipV6(), fc.nat(140)).map(parts => parts.join('/')),
    fc.constantFrom('gateway', '10.0.0.0/', '/8', '10.0.0.256', '::/0', '0.0.0.0/0', '0.0.0.0/1', '128.0.0.0/1', '1.2.3.4/7', '10.0.0.0/8', '::ffff:0:0/96', '0:0::ffff:0.0.0.0/103', '::ffff:10.0.0.0/104', '64:ff9b::/96', '2002::/16', 'fc00::/7', 'fe80::/10', 'FD00::/8', '8000::/1', '2001:db8::/24', '::1/128', '::ffff:10.0.0.1', 'fe80::1%eth0', '010.0.0.1'),
  ),
};

Object.assign(ITEMS, {
  // Origins that a URL would write otherwise are no business of a schema.
  origin: fc.oneof(
    fc.tuple(fc.constantFrom('http', 'https'), LABELS.filter(host => !/^[x0-9]/.test(host)), fc.constantFrom('', ':8443')).map(([scheme, host, port]) => `${scheme}://${host}${port}`),
    fc.tuple(fc.constantFrom('http', 'https', 'ftp'), LABELS.filter(host => !/^[x0-9]/.test(host)), fc.constantFrom('', ':8443', ':0', ':65536', '/', '/path')).map(([scheme, host, rest]) => `${scheme}://${host}${rest}`),
    fc.constantFrom('*', 'null', 'app.example.com', 'https://'),
  ),
  routeDomain: fc.oneof(fc.array(LABELS, { minLength: 1, maxLength: 3 }).map(labels => labels.join('.')), fc.constantFrom('x'.repeat(191), '.example')),
  pathPrefix: fc.constantFrom('/sandboxes', '/a/b-c/d_e', '/', 'sandboxes', '/a/', '/a b', '//a', '/..'),
  cookieName: fc.oneof(fc.stringMatching(/^[A-Za-z0-9_-]{1,70}$/), fc.constantFrom('a=b', 'a;b', '-a')),
});

function trials({ type, items, ...rule }: Flag): fc.Arbitrary<Trial> {
  const { least, most } = boundsOf({ type, ...rule });
  switch (type) {
    case 'boolean': return fc.constantFrom<unknown>(true, false, 'yes', 'maybe', 7).map(same);
    case 'integer': case 'number': return fc.oneof(around(least, most), NOT_NUMBERS).map(same);
    case 'duration': return fc.oneof(
      fc.constantFrom(...Object.keys(UNITS) as (keyof typeof UNITS)[]).chain(unit =>
        around(least / MILLISECONDS[unit], most / MILLISECONDS[unit]).map(Math.ceil).filter(amount => amount >= 0 && Number.isSafeInteger(amount))
          .map(amount => ({ prop: UNITS[unit](amount), helm: `${amount}${unit}`, text: `${amount}${unit}` }))),
      fc.constantFrom(0.5, 1.25, 1e-7).map(amount => ({ prop: Duration.millis(amount), helm: `${amount}ms`, text: `${amount}ms` })),
      fc.constantFrom('soon', '5', '1s2', '-1s', '5d').map(same),
    );
    case 'logLevel': return fc.constantFrom('debug', 'info', 'warn', 'error', 'panic', '0', '3', 'trace', 'INFO', '-1', 'fatal').map(same);
    case 'text': return ITEMS[items ?? 'any'].filter(text => text !== '').map(same);
    case 'list': return fc.oneof({ weight: 9, arbitrary: fc.array(ITEMS[items ?? 'word'], { minLength: 1, maxLength: 3 }) }, ...(rule.notEmpty ? [fc.constantFrom([''], [' '])] : []))
      .map(same);
    default: throw new Error(`no values for flags that are a ${type}`);
  }
}

/** What a program says against command lines, one after the other; empty where it accepts one. */
function programSays(program: string, commandLines: readonly (readonly string[])[]): string[] {
  const file = path.join(__dirname, '..', '..', 'packages', program, 'src', 'flags.ts');
  const code = `import { parseFlags } from ${JSON.stringify(file)}; import { readFileSync } from 'node:fs';
    const said = args => { try { parseFlags(args); return ''; } catch (error) { if (error.name !== 'FlagError') throw error; return error.message || 'help'; } };
    console.log(JSON.stringify(JSON.parse(readFileSync(0, 'utf8')).map(said)));`;
  const { stdout, stderr, status } = runTypeScript(['--input-type=module', '-e', code], { input: JSON.stringify(commandLines), maxBuffer: 64 << 20 });
  if (status !== 0) {
    throw new Error(stderr);
  }
  return JSON.parse(stdout) as string[];
}

function constructSays(path_: string, value: unknown): string {
  const props: any = { image: IMAGE, crds: false, userRoles: false, ...(path_.startsWith('router.') && { router: { ...ROUTER_IMAGE } }) };
  setAt(props, path_, value);
  try {
    // The rules of the flags are on trial, not the types of the props: an enumeration has no numbers.
    withPlaceholders(() => new AgentSandboxController(testApp(), 'agent-sandbox', props));
    return '';
  } catch (error) {
    return (error as Error).message;
  }
}

const schema = new Ajv({ strict: false }).compile(valuesSchema(KNOBS));
function chartSays(path_: string, value: unknown): string {
  const values = {};
  setAt(values, path_, value);
  return schema(values) ? '' : JSON.stringify(schema.errors);
}

describe.each<[string, Program, string]>([['controller', CONTROLLER, ''], ['router', ROUTER, 'router.']])('the flags of the %s', (folder, program, props) => {
  const flags = program.flags.filter(({ prop }) => prop);

  test('construct, schema of the Helm chart and program accept or refuse together, whatever the value', () => {
    const seed = Math.floor(Math.random() * INTEGER_MAX);
    const samples = flags.flatMap(flag => fc.sample(trials(flag), { seed, numRuns: 40 }).map(trial => ({ flag, trial })));
    const said = programSays(folder, samples.map(({ flag, trial }) => [`--${flag.name}=${trial.text}`]));
    const verdicts = samples.map(({ flag, trial }, index) => {
      const knob = KNOBS.find(one => one.flag === flag)!;
      const [construct, chart] = [constructSays(props + flag.prop!.name, trial.prop), chartSays(knob.value, trial.helm)];
      return { flag: flag.name, value: trial.text, prop: trial.prop, construct, chart, program: said[index] };
    });
    const split = verdicts.filter(({ construct, chart, program: by }) => new Set([construct, chart, by].map(text => text === '')).size > 1);
    expect({ seed, split }).toEqual({ seed, split: [] });
    // The test would hold if all three refused everything.
    for (const { name } of flags) {
      const of = verdicts.filter(({ flag }) => flag === name).map(({ program: by }) => by === '');
      expect([name, ...new Set(of)].sort()).toEqual([name, true, false].sort());
    }
  });

  test('the construct names prop, value and remedy', () => {
    const value = constructSays(`${props}${props ? 'websocketMaxLifetime' : 'sandboxWarmPoolProgressDeadline'}`, Duration.days(30));
    expect(value).toMatch(/agent-sandbox: (router\.)?\w+ is '2592000s': use a duration .* to 596h31m23\.647s in whole milliseconds/);
    expect(programSays(folder, [[`--${props ? 'websocket-max-lifetime' : 'sandbox-warm-pool-progress-deadline'}=720h`]])[0]).toMatch(/give a duration .* to 596h31m23\.647s/);
  });
});

test.each([['0'], ['70000'], ['9000-8000']])('the additional port %s is refused by construct and program', ports => {
  expect(constructSays('router.additionalPorts', [ports])).toContain("use a port from 1 to 65535, a range such as '8000-8100', or '*'");
  expect(programSays('router', [[`--additional-ports=${ports}`]])[0]).toContain("give a port from 1 to 65535, a range such as '8000-8100', or '*'");
});

test.each([['a,b'], [''], [' a'], ['a ']])('the entry %j of a list, which would be another on the command line, is refused by construct and chart', entry => {
  expect(constructSays('router.tokenAudiences', ['first', entry])).toContain('a text without commas');
  expect(chartSays('router.tokenAudiences', ['first', entry])).not.toBe('');
});

describe.each<[string, Program]>([['controller', CONTROLLER], ['router', ROUTER], ['runtime', RUNTIME]])('every flag of the %s', (folder, { flags }) => {
  const needs: { readonly [flag: string]: string[] } = {
    'https-bind-address': ['--tls-cert-file=a', '--tls-key-file=b'],
    'authz-scoped-token-secret-file': ['--authz-mode=scoped-token'],
    'authz-static-token-file': ['--authz-mode=static-token'],
  };

  test('has bounds that the program keeps to', () => {
    const numbers: readonly FlagType[] = ['integer', 'number', 'duration', 'seconds'];
    const cases = flags.filter(({ type, ignored }) => numbers.includes(type) && !ignored).flatMap(flag => {
      const { least, most } = boundsOf(flag);
      const written = (value: number) => `--${flag.name}=${value}${flag.type === 'duration' || flag.type === 'seconds' ? 'ms' : ''}`;
      return [[least - 1, false], [least, true], [most, true], [most + 1, false]]
        .filter(([value]) => Number.isFinite(value)).map(([value, good]) => ({ line: written(value as number), good }));
    });
    const said = programSays(folder, cases.map(({ line }) => [line]));
    expect(cases.map(({ line }, index) => [line, said[index] === ''])).toEqual(cases.map(({ line, good }) => [line, good]));
  });

  test('has a default that the program accepts, and says so if it has no effect', () => {
    const given = flags.filter(({ default: value, name }) => value !== undefined && String(value) !== '' && name !== 'version');
    const said = programSays(folder, given.map(({ name, default: value, type }) => [`--${name}=${value}${type === 'duration' ? 'ms' : ''}`, ...needs[name] ?? []]));
    expect(given.map(({ name }, index) => [name, said[index]])).toEqual(given.map(({ name }) => [name, '']));
  });
});

test('every flag with a prop is a value of the chart, and no other', () => {
  const all = [...CONTROLLER.flags, ...ROUTER.flags].filter(({ prop }) => prop);
  expect(KNOBS.filter(({ flag }) => flag).map(({ flag }) => flag)).toEqual(expect.arrayContaining(all));
  expect(KNOBS.filter(({ flag }) => flag)).toHaveLength(all.length);
});
