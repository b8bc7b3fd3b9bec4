import assert from 'node:assert/strict';
import test from 'node:test';
import { Checks, NetworkEndpoint, NetworkModel, Reachability } from 'cdk8s-agent-sandbox';
import { agents } from './app.js';

void test('the objects agree with each other', () => {
  assert.deepEqual(Checks.of(agents()).map(({ rule, object, message }) => `${rule}: ${object}: ${message}`), []);
});

void test('no sandbox reaches the metadata servers of clouds', () => {
  const model = NetworkModel.of(agents());
  assert.notEqual(model.sandboxes().length, 0);
  for (const sandbox of model.sandboxes()) {
    for (const server of ['aws-metadata', 'azure-wireserver']) {
      assert.equal(model.canReach(sandbox, NetworkEndpoint.named(server)).reachability, Reachability.DENIED, server);
    }
  }
});
