export { ExpectedClaim, ExpectedObject, ExpectedWarmPool, SandboxAssertions } from './sandbox-assertions';
