import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { buildClaim } from '../src/claim.js';
import { SandboxInputError } from '../src/errors.js';

const NOW = Date.UTC(2026, 0, 31, 17, 0, 0, 250);

describe('buildClaim', () => {
  test('writes what other clients write, and nothing more', () => {
    expect(buildClaim('team', { pool: 'python', name: 'a' }, NOW)).toEqual({
      apiVersion: 'extensions.agents.x-k8s.io/v1beta1',
      kind: 'SandboxClaim',
      metadata: {
        name: 'a',
        namespace: 'team',
        labels: { 'agents.x-k8s.io/created-by': 'typescript-client' },
        annotations: { 'agents.x-k8s.io/client-first-requested-at': '2026-01-31T17:00:00.250Z' },
      },
      spec: { warmPoolRef: { name: 'python' } },
    });
  });

  test('chooses a name of its own', () => {
    expect(buildClaim('team', { pool: 'python' }, NOW).metadata.name).toMatch(/^sandbox-claim-[0-9a-f]{8}$/);
  });

  test('writes every option where the controller looks for it', () => {
    const claim = buildClaim('team', {
      template: 'python',
      lifetime: { seconds: 60, afterFinishedSeconds: 0, policy: 'Retain' },
      env: { A: '1' },
      labels: { 'example.com/team': 'x', 'agents.x-k8s.io/created-by': 'me' },
      podLabels: { 'sandbox.users.io/a': 'b' },
      podAnnotations: { note: 'any text' },
      volumeClaims: [{ metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'] } }],
    }, NOW, { traceparent: '00-1-2-01', tracestate: '' });
    expect(claim.spec).toEqual({
      sandboxTemplateRef: { name: 'python' },
      lifecycle: { shutdownTime: '2026-01-31T17:01:00Z', ttlSecondsAfterFinished: 0, shutdownPolicy: 'Retain' },
      env: [{ name: 'A', value: '1' }],
      additionalPodMetadata: { labels: { 'sandbox.users.io/a': 'b' }, annotations: { note: 'any text' } },
      volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'] } }],
    });
    expect(claim.metadata.labels).toEqual({ 'example.com/team': 'x', 'agents.x-k8s.io/created-by': 'typescript-client' });
    expect(claim.metadata.annotations).toMatchObject({ 'opentelemetry.io/trace-context': '{"traceparent":"00-1-2-01"}' });
  });

  test('leaves out what is empty', () => {
    const claim = buildClaim('team', { pool: 'p', env: {}, podLabels: {}, podAnnotations: {}, volumeClaims: [] }, NOW);
    expect(claim.spec).toEqual({ warmPoolRef: { name: 'p' } });
  });

  test.each<[string, Parameters<typeof buildClaim>[1], RegExp]>([
    ['neither pool nor template', {}, /exactly one of pool and template/],
    ['both', { pool: 'a', template: 'b' }, /exactly one of pool and template/],
    ['a pool that is no name', { pool: 'A_b' }, /pool "A_b" is not a DNS subdomain/],
    ['an empty pool', { pool: '' }, /pool "" is not/],
    ['a claim name that is too long', { pool: 'a', name: 'x'.repeat(254) }, /at most 253/],
    ['a label key with two slashes', { pool: 'a', labels: { 'a/b/c': '' } }, /labels has "a\/b\/c", which is not a label key/],
    ['a label prefix in capitals', { pool: 'a', podLabels: { 'Example.com/a': '' } }, /podLabels has "Example.com\/a"/],
    ['a label value of 64 characters', { pool: 'a', labels: { a: 'x'.repeat(64) } }, /not a label value/],
    ['a variable that begins with a digit', { pool: 'a', env: { '1A': '' } }, /env has "1A"/],
    ['a variable that begins with two dots', { pool: 'a', env: { '..A': '' } }, /env has "..A"/],
    ['a lifetime of 0', { pool: 'a', lifetime: { seconds: 0 } }, /lifetime.seconds is 0: give a positive integer/],
    ['a lifetime of half a second', { pool: 'a', lifetime: { seconds: 0.5 } }, /positive integer/],
    ['a lifetime with two ends', { pool: 'a', lifetime: { seconds: 1, until: new Date() } }, /give one of them/],
    ['a lifetime without an end', { pool: 'a', lifetime: { policy: 'Delete' } }, /says nothing about an end/],
    ['a lifetime beyond what dates can say', { pool: 'a', lifetime: { seconds: Number.MAX_SAFE_INTEGER } }, /after the year 9999/],
    ['a date that is none', { pool: 'a', lifetime: { until: new Date(NaN) } }, /after the year 9999|not a date/],
  ])('refuses %s', (_, options, message) => {
    const attempt = () => buildClaim('team', options, NOW);
    expect(attempt).toThrow(SandboxInputError);
    expect(attempt).toThrow(message);
  });

  test('takes a variable whole or refuses it: name and value arrive unchanged', () => {
    fc.assert(fc.property(fc.string({ unit: fc.constantFrom('A', 'z', '_', '-', '.', '0', '=', ' ', 'ß', '\n') }), fc.string(), (name, value) => {
      let claim;
      try {
        claim = buildClaim('team', { pool: 'p', env: { [name]: value } }, NOW);
      } catch (error) {
        expect(error).toBeInstanceOf(SandboxInputError);
        expect(name).not.toMatch(/^[A-Z_a-z][A-Z_a-z0-9]*$/);
        return;
      }
      expect(claim.spec.env).toEqual([{ name, value }]);
      expect(name).toMatch(/^[-._A-Za-z][-._A-Za-z0-9]*$/);
    }));
  });

  test('refuses a namespace that is none', () => {
    expect(() => buildClaim('a.b', { pool: 'p' }, NOW)).toThrow(/namespace "a.b" is not a DNS label/);
  });
});
