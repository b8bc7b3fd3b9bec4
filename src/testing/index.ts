export { ExpectedClaim, ExpectedObject, ExpectedWarmPool, SandboxAssertions } from './sandbox-assertions';
export { differences } from './match';
