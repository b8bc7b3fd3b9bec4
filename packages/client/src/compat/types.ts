import type { SandboxClientOptions as OurOptions } from '../client.js';

/** Writes lines of text. */
export interface Logger {
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

export type SandboxdConnectivity = 'port-forward' | 'in-cluster-service' | 'in-cluster-pod-ip';

export interface SandboxdOptions {
  /** `port-forward` is our tunnel to the router. `in-cluster-service` is refused: a Pod of a warm pool has no Service. @default port-forward */
  connectivity?: SandboxdConnectivity;
  /** Port of the runtime, which serves files and processes alike. @default 8888 */
  restPort?: number;
  /** No effect: see `restPort`. */
  grpcPort?: number;
  /** Milliseconds for a connection. @default 30000 */
  portForwardReadyTimeoutMs?: number;
  /** Bytes of a file that is read. @default 268435456, which is 256 MiB */
  maxDownloadSize?: number;
  /** Bytes of a file that is written. @default 268435456, which is 256 MiB */
  maxUploadSize?: number;
  /** No effect. */
  maxMetadataResponseSize?: number;
  /** Bytes of the output of `commands.run`; more is an error. @default 4194304, which is 4 MiB */
  maxCommandOutputSize?: number;
}

export interface SandboxClientOptions {
  /** @default default */
  namespace?: string;
  /** Seconds. @default 180 */
  sandboxReadyTimeout?: number;
  /** No effect: give `trace` to our client instead. */
  enableTracing?: boolean;
  /** No effect. */
  traceServiceName?: string;
  /** @default - errors and warnings go to stderr */
  logger?: Logger;
  /** Whether the default logger says nothing. @default false */
  quiet?: boolean;
  sandboxd?: SandboxdOptions;
  /** What the original has no option for: connection, token, cluster and the like of our client. @default - the tunnel, without a token */
  native?: OurOptions;
}

export interface CreateSandboxOptions {
  /** Seconds. @default - that of the client */
  sandboxReadyTimeout?: number;
  /** Labels of the claim. */
  labels?: Record<string, string>;
  podLabels?: Record<string, string>;
  podAnnotations?: Record<string, string>;
  /** Seconds until the claim and its sandbox are deleted. @default - no limit */
  shutdownAfterSeconds?: number;
}

export interface RuntimeCallOptions {
  /** Milliseconds. @default 60000 */
  timeoutMs?: number;
  signal?: AbortSignal;
}

export type FileCallOptions = RuntimeCallOptions;

export interface RunOptions extends RuntimeCallOptions {
  env?: Record<string, string>;
  cwd?: string;
}

export interface StartOptions extends RunOptions {
  pty?: { cols: number; rows: number };
  onStdout?: (chunk: Uint8Array) => void;
  onStderr?: (chunk: Uint8Array) => void;
}

export interface WriteOptions extends FileCallOptions {
  /** Four octal digits, such as `0644`. */
  mode?: string;
}

export interface DeleteOptions extends FileCallOptions {
  recursive?: boolean;
}

export interface ExecutionResult {
  stdout: string;
  stderr: string;
  exitCode: number;
}

export interface FileEntry {
  name: string;
  size: number;
  type: 'file' | 'directory';
  /** RFC 3339. */
  modifiedAt: string;
  mode?: string;
}

export interface DirectoryListing {
  path: string;
  entries: FileEntry[];
}

export type ProcessEvent =
  | { type: 'stdout'; data: Uint8Array }
  | { type: 'stderr'; data: Uint8Array }
  | { type: 'exit'; exitCode: number };
