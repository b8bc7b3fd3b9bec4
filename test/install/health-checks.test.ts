import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { parse } from 'yaml';

const { lauxlib, lua, lualib, to_jsstring: text, to_luastring: luaText } = require('fengari'); // eslint-disable-line @typescript-eslint/no-require-imports

const ROOT = path.join(__dirname, '..', '..');
const read = (file: string) => parse(fs.readFileSync(path.join(ROOT, 'docs', 'guide', 'health-checks', file), 'utf8'));

const condition = (type: string, status: string, reason: string) => ({ type, status, reason, message: reason });
const withConditions = (...conditions: object[]) => ({ metadata: { generation: 2 }, status: { observedGeneration: 2, conditions } });

type Case = readonly [kind: string, what: string, object: any, argo: string, flux: 'current' | 'inProgress' | 'failed'];
const CASES: readonly Case[] = [
  ['Sandbox', 'ready', withConditions(condition('Suspended', 'False', 'NotSuspended'), condition('Ready', 'True', 'DependenciesReady')), 'Healthy', 'current'],
  ['Sandbox', 'starting', withConditions(condition('Ready', 'False', 'DependenciesNotReady')), 'Progressing', 'inProgress'],
  ['Sandbox', 'unseen', { metadata: {}, status: {} }, 'Progressing', 'inProgress'],
  ['Sandbox', 'suspended', withConditions(condition('Suspended', 'True', 'PodTerminated'), condition('Ready', 'False', 'SandboxSuspended')), 'Suspended', 'current'],
  ['Sandbox', 'expired', withConditions(condition('Ready', 'False', 'SandboxExpired')), 'Healthy', 'current'],
  ['Sandbox', 'ended well', withConditions(condition('Finished', 'True', 'PodSucceeded'), condition('Ready', 'False', 'PodSucceeded')), 'Healthy', 'current'],
  ['Sandbox', 'failed', withConditions(condition('Finished', 'True', 'PodFailed'), condition('Ready', 'False', 'PodFailed')), 'Degraded', 'failed'],
  ['Sandbox', 'refused', withConditions(condition('Ready', 'False', 'InvalidConfiguration')), 'Degraded', 'failed'],
  ['SandboxClaim', 'ready', withConditions(condition('Ready', 'True', 'DependenciesReady')), 'Healthy', 'current'],
  ['SandboxClaim', 'waiting for its pool', withConditions(condition('Ready', 'False', 'WarmPoolNotFound')), 'Progressing', 'inProgress'],
  ['SandboxClaim', 'expired', withConditions(condition('Ready', 'False', 'ClaimExpired')), 'Healthy', 'current'],
  ['SandboxClaim', 'refused', withConditions(condition('Ready', 'False', 'EnvVarsInjectionRejected')), 'Degraded', 'failed'],
  ['SandboxClaim', 'failed', withConditions(condition('Ready', 'False', 'PodFailed'), condition('Finished', 'True', 'PodFailed')), 'Degraded', 'failed'],
  ['SandboxWarmPool', 'full', withConditions(condition('Available', 'True', 'MinimumReplicasAvailable'), condition('Progressing', 'True', 'WarmPoolFull')), 'Healthy', 'current'],
  ['SandboxWarmPool', 'filling', withConditions(condition('Available', 'False', 'MinimumReplicasUnavailable'), condition('Progressing', 'True', 'WarmPoolProgressing')), 'Progressing', 'inProgress'],
  ['SandboxWarmPool', 'standing still', withConditions(condition('Available', 'False', 'x'), condition('Progressing', 'False', 'ProgressDeadlineExceeded')), 'Degraded', 'failed'],
  ['SandboxWarmPool', 'changed since', { ...withConditions(condition('Available', 'True', 'x')), metadata: { generation: 3 } }, 'Progressing', 'inProgress'],
  ['SandboxTemplate', 'there', { metadata: { generation: 1 } }, 'Healthy', 'current'],
];
const group = (kind: string) => (kind === 'Sandbox' ? 'agents.x-k8s.io' : 'extensions.agents.x-k8s.io');

/** What a health check of Argo CD returns for an object. */
function argo(code: string, object: unknown): { status: string; message: string } {
  const state = lauxlib.luaL_newstate();
  lualib.luaL_openlibs(state);
  const literal = (value: any): string => (value === null ? 'nil' : typeof value !== 'object' ? JSON.stringify(value)
    : `{${Object.entries(value).map(([key, each]) => (Array.isArray(value) ? literal(each) : `[${JSON.stringify(key)}] = ${literal(each)}`)).join(', ')}}`);
  const program = `obj = ${literal(object)}\nlocal function check()\n${code}\nend\nlocal health = check()\nreturn health.status, health.message`;
  if (lauxlib.luaL_dostring(state, luaText(program))) {
    throw new Error(text(lua.lua_tostring(state, -1)));
  }
  return { status: text(lua.lua_tostring(state, -2)), message: text(lua.lua_tostring(state, -1)) };
}

describe('Argo CD', () => {
  const { data } = read('argocd.yaml');

  test.each(CASES)('a %s that is %s', (kind, _what, object, expected) => {
    const { status, message } = argo(data[`resource.customizations.health.${group(kind)}_${kind}`], object);
    expect([status, message]).toEqual([expected, expect.stringMatching(/./)]);
  });
});

describe('Flux', () => {
  const checks: any[] = read('flux.yaml').spec.healthCheckExprs;
  /** In the order in which Flux asks; an expression that is not there says no. */
  const ORDER = ['inProgress', 'failed', 'current'] as const;
  const evaluated: boolean[][] = JSON.parse(execFileSync(process.execPath, ['--input-type=module', '-e', `
    import { evaluate } from '@marcbachmann/cel-js';
    import { readFileSync } from 'node:fs';
    // Whole numbers of JSON are integers in CEL.
    const integers = value => typeof value === 'number' ? BigInt(value) : Array.isArray(value) ? value.map(integers)
      : value && typeof value === 'object' ? Object.fromEntries(Object.entries(value).map(([key, each]) => [key, integers(each)])) : value;
    const cases = JSON.parse(readFileSync(0, 'utf8'));
    console.log(JSON.stringify(cases.map(({ object, expressions }) => expressions.map(one => one !== null && evaluate(one, integers(object))))));
  `], {
    cwd: ROOT, encoding: 'utf8', env: { ...process.env, NODE_OPTIONS: '' },
    input: JSON.stringify(CASES.map(([kind, , object]) => {
      const check = checks.find(one => one.kind === kind && one.apiVersion === `${group(kind)}/v1beta1`);
      return { object, expressions: ORDER.map(name => check[name] ?? null) };
    })),
  }));

  test.each(CASES.map(([kind, what, , , expected], index) => [kind, what, expected, evaluated[index]] as const))('a %s that is %s', (_kind, _what, expected, results) => {
    expect(ORDER[results.indexOf(true)] ?? 'inProgress').toBe(expected);
    // It cannot be both.
    expect(results[1] && results[2]).toBe(false);
  });
});
