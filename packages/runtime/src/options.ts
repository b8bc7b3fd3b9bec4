import type { Logger } from 'pino';
import type { TokenFile } from './http/token.js';

/** Configuration of a runtime; `flags.ts` fills it from the command line and the environment. */
export interface RuntimeOptions {
  /** Root of all file operations and working directory of commands. */
  readonly baseDir: string;
  /** Seconds that a command of `/execute` may take at most. */
  readonly execTimeoutSeconds: number;
  /** Bytes kept of each stream of a command whose output is collected. */
  readonly maxOutputBytes: number;
  /** Commands at a time. */
  readonly maxCommands: number;
  /** Bytes of an uploaded file; 0: no limit. */
  readonly maxUploadBytes: number;
  /** Web pages that may call the runtime, as they appear in an Origin header. */
  readonly allowedOrigins: readonly string[];
  /** Environment of commands. */
  readonly env: NodeJS.ProcessEnv;
  /** Variables that `/v1/metadata` returns. */
  readonly metadataEnvPrefix: string;
  /** Whether there is an agent instead of commands and files. */
  readonly computerUse: boolean;
  /** Token that requests must carry. Without one, anyone who can connect can send requests. */
  readonly token?: TokenFile;
  readonly logger: Logger;
}

export const DEFAULTS = {
  baseDir: '/app',
  execTimeoutSeconds: 300,
  maxOutputBytes: 4 * 1024 * 1024,
  maxCommands: 64,
  maxUploadBytes: 0,
  allowedOrigins: [],
  metadataEnvPrefix: 'SANDBOX_',
  computerUse: false,
} as const;
