import { describeWithControlPlane } from '../../testbed/src/jest/index.js';
import { refusal } from './support/bench';
import { type Refused, build } from './support/refused';
import { REFUSED_OBJECTS } from './support/refused-objects';
import { REFUSED_PODS } from './support/refused-pods';
import { REFUSED_SANDBOXES } from './support/refused-sandboxes';

jest.setTimeout(30_000);

const ALL: readonly Refused[] = [...REFUSED_SANDBOXES, ...REFUSED_PODS, ...REFUSED_OBJECTS];

describeWithControlPlane('what the server refuses', testbed => {
  test.each(ALL)('$title', async ({ object, reason }) => {
    const metadata = { namespace: testbed.namespace, ...object.metadata };
    const request = testbed.cluster.admin.create({ ...object, metadata }, { dryRun: 'All' });
    expect((await refusal(request)).join('\n')).toContain(reason);
  });
});

describe('what the server refuses, the constructs refuse before', () => {
  test.each(ALL.filter(({ earlier }) => typeof earlier !== 'string'))('$title', ({ earlier }) => {
    if (typeof earlier !== 'string') {
      expect(() => build(earlier)).toThrow(earlier[1]);
    }
  });

  test('the table is long, and names each case once', () => {
    expect(ALL.length).toBeGreaterThanOrEqual(60);
    expect(new Set(ALL.map(({ title }) => title)).size).toBe(ALL.length);
  });
});
