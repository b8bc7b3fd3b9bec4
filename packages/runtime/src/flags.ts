import { parseCommand } from 'agent-sandbox-program';
import { Command, InvalidArgumentError, Option } from 'commander';
import type { Logger } from 'pino';
import { DEFAULTS } from './options.js';

/** What the command line and the environment say. */
export interface Flags {
  readonly version: boolean;
  readonly listenHost: string;
  readonly port: number;
  /** Further ports for the same; 0: none. */
  readonly restPort: number;
  readonly grpcPort: number;
  readonly authTokenFile?: string;
  readonly baseDir: string;
  readonly execTimeoutSeconds: number;
  readonly maxOutputBytes: number;
  readonly maxCommands: number;
  readonly maxUploadBytes: number;
  readonly allowedOrigins: readonly string[];
  readonly metadataEnvPrefix: string;
  /** Seconds. */
  readonly shutdownTimeout: number;
  readonly logLevel: string;
  readonly computerUse: boolean;
  readonly agentAllowedDomains: readonly string[];
  readonly agentModel: string;
  readonly agentBaseUrl?: string;
  readonly agentSearchUrl: string;
  readonly agentMaxSteps: number;
  readonly agentTimeoutSeconds: number;
  readonly agentChromium: string;
  readonly agentChromiumSandbox: boolean;
}

/** Reads a command line; where a flag is not given, its variable counts. Throws `FlagError`. */
export function parseFlags(args: readonly string[], write: (text: string) => void = text => process.stdout.write(text)): Flags {
  return parseCommand(command(), args, write).opts();
}

function command(): Command {
  const program = new Command('agent-sandbox-runtime').description('Runs commands and keeps files inside a sandbox.');
  const add = (flags: string, description: string, parse: (text: string) => unknown, value?: unknown, variable?: string) => {
    const option = new Option(flags, description).argParser(parse).default(value);
    program.addOption(variable === undefined ? option : option.env(variable));
  };
  program.option('--version', 'print the version and exit', false);
  add('--listen-host <address>', 'address to listen on', String, '0.0.0.0');
  add('--port <number>', 'port to listen on; 0 for any', integer(0, 65535), 8888);
  add('--rest-port <number>', 'another port for the same, where clients of sandboxd look for its REST API (8080); 0 for none', integer(0, 65535), 0, 'SANDBOX_REST_PORT');
  add('--grpc-port <number>', 'another port for the same, where clients of sandboxd look for gRPC (9090); 0 for none', integer(0, 65535), 0, 'SANDBOX_GRPC_PORT');
  add('--auth-token-file <file>', 'file with a token that callers have to show, except probes of health', String, undefined, 'SANDBOX_AUTH_TOKEN_FILE');
  add('--base-dir <directory>', 'root of files and working directory of commands; made if missing', String, undefined);
  add('--exec-timeout-seconds <number>', 'longest time that a command of /execute may take', seconds);
  add('--max-output-bytes <number>', 'kept of each stream of a command', integer(1), DEFAULTS.maxOutputBytes, 'SANDBOX_MAX_OUTPUT_BYTES');
  add('--max-commands <number>', 'commands at a time', integer(1), DEFAULTS.maxCommands, 'SANDBOX_MAX_COMMANDS');
  add('--max-upload-bytes <number>', 'size of an uploaded file; 0 for no limit', integer(0), DEFAULTS.maxUploadBytes, 'SANDBOX_MAX_UPLOAD_BYTES');
  add('--allowed-origins <list>', 'web pages that may call, separated by commas', list, DEFAULTS.allowedOrigins, 'SANDBOX_ALLOWED_ORIGINS');
  add('--metadata-env-prefix <prefix>', 'variables that /v1/metadata tells', text => text || DEFAULTS.metadataEnvPrefix, DEFAULTS.metadataEnvPrefix);
  add('--shutdown-timeout <seconds>', 'longest time to stop', seconds, 10);
  add('--log-level <level>', 'fatal, error, warn, info, debug or silent', oneOf('fatal', 'error', 'warn', 'info', 'debug', 'silent'), 'info', 'SANDBOX_LOG_LEVEL');
  program.addOption(new Option('--computer-use [boolean]', 'serve /agent, and neither commands nor files')
    .default(false).preset('true').argParser(boolean).env('SANDBOX_COMPUTER_USE'));
  add('--agent-allowed-domains <list>', 'hosts that the browser may reach: example.com, *.example.com, host:port, or * for all that are public', list, [], 'AGENT_ALLOWED_DOMAINS');
  add('--agent-model <name>', 'model that the agent asks', String, 'gemini-2.5-computer-use-preview-10-2025', 'AGENT_MODEL');
  add('--agent-base-url <url>', 'where the model is, if not at Google', String, undefined, 'AGENT_BASE_URL');
  add('--agent-search-url <url>', 'page that the action search leads to', String, 'https://www.google.com', 'AGENT_SEARCH_URL');
  add('--agent-max-steps <number>', 'questions to the model in one run', integer(1, 1000), 50, 'AGENT_MAX_STEPS');
  add('--agent-timeout-seconds <number>', 'longest time of one run', seconds, 600, 'AGENT_TIMEOUT_SECONDS');
  add('--agent-chromium <file>', 'the browser', String, '/usr/bin/chromium', 'AGENT_CHROMIUM');
  add('--agent-chromium-sandbox <boolean>', "use the browser's own sandbox", boolean, true, 'AGENT_CHROMIUM_SANDBOX');
  return program;
}

/** The base directory: flag, `SANDBOX_BASE_DIR`, `/app`; blank counts as not given. */
export function baseDirOf(flags: Pick<Flags, 'baseDir'>, env: NodeJS.ProcessEnv): string {
  return [flags.baseDir, env.SANDBOX_BASE_DIR].find(each => each !== undefined && each.trim() !== '') ?? DEFAULTS.baseDir;
}

/** The time limit: flag, `SANDBOX_EXEC_TIMEOUT_SECONDS`, 300. A variable that is no number above 0 is named in the log and ignored. */
export function execTimeoutOf(flags: Pick<Flags, 'execTimeoutSeconds'>, env: NodeJS.ProcessEnv, logger: Pick<Logger, 'warn'>): number {
  if (flags.execTimeoutSeconds !== undefined) {
    return flags.execTimeoutSeconds;
  }
  const text = env.SANDBOX_EXEC_TIMEOUT_SECONDS;
  if (text === undefined) {
    return DEFAULTS.execTimeoutSeconds;
  }
  const number = text.trim() === '' ? NaN : Number(text);
  if (Number.isFinite(number) && number > 0) {
    return number;
  }
  logger.warn({ value: text, used: DEFAULTS.execTimeoutSeconds }, 'SANDBOX_EXEC_TIMEOUT_SECONDS has to be a finite number above 0');
  return DEFAULTS.execTimeoutSeconds;
}

function integer(min: number, max = Number.MAX_SAFE_INTEGER) {
  return (text: string): number => {
    const number = Number(text);
    if (!/^\d+$/.test(text) || number < min || number > max) {
      throw new InvalidArgumentError(`It has to be a whole number from ${min} to ${max}.`);
    }
    return number;
  };
}

function seconds(text: string): number {
  const number = Number(text);
  if (text.trim() === '' || !Number.isFinite(number) || number <= 0) {
    throw new InvalidArgumentError('It has to be a number of seconds above 0.');
  }
  return number;
}

function oneOf(...values: readonly string[]) {
  return (text: string): string => {
    if (!values.includes(text)) {
      throw new InvalidArgumentError(`It has to be one of ${values.join(', ')}.`);
    }
    return text;
  };
}

const boolean = (text: string): boolean => ['true', '1'].includes(oneOf('true', 'false', '1', '0')(text));
const list = (text: string): string[] => text.split(',').map(each => each.trim()).filter(each => each !== '');
