import { join } from 'node:path';
import test from 'node:test';
import { NetworkEndpoint, SandboxAssertions } from 'cdk8s-agent-sandbox';
import { appOfRevision } from './revisions';

/** Facts about the cluster that no manifest has. */
const CLUSTER = { apiServerCidrs: ['10.0.0.1/32'], apiServerPort: 443, podCidrs: ['10.244.0.0/16'] };

void test('no sandbox reaches the API server or the metadata of a cloud, and tenants do not reach each other', () => {
  SandboxAssertions.of(appOfRevision(), CLUSTER)
    .isRestricted()
    .cannotReach('research/python', NetworkEndpoint.apiServer())
    .cannotReach('research/python', NetworkEndpoint.named('aws-metadata'))
    .isolatedFrom('research', 'support');
});

void test('the posture is the one that was reviewed', () => {
  SandboxAssertions.of(appOfRevision(), CLUSTER).hasPosture(join(__dirname, 'posture.txt'));
});
