/* The names, signatures and units of the original's TypeScript client of v1.0.12, on top of ours: see the table in the README. */
export { SandboxClient } from './client.js';
export {
  SandboxClaimFailedError, SandboxClosedError, SandboxConnectionError, SandboxError, SandboxMetadataError, SandboxNoServiceError,
  SandboxNotFoundError, SandboxTemplateNotFoundError, SandboxTimeoutError, SandboxWarmPoolNotFoundError, SandboxdApiError, SandboxdRpcError,
} from './errors.js';
export type { SandboxConnectionErrorKind, SandboxdApiCode } from './errors.js';
export { ProcessHandle } from './process.js';
export { Sandbox, SandboxCommands, SandboxFiles } from './sandbox.js';
export type {
  CreateSandboxOptions, DeleteOptions, DirectoryListing, ExecutionResult, FileCallOptions, FileEntry, Logger, ProcessEvent, RunOptions,
  RuntimeCallOptions, SandboxClientOptions, SandboxdConnectivity, SandboxdOptions, StartOptions, WriteOptions,
} from './types.js';
