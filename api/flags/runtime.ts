import { RUNTIME_PORT } from '../vocabulary';
import { IGNORED_ZAP, VERSION_FLAG, ignored } from './common';
import type { Flag, Program } from './flag';

/** Flags of the original that are accepted and have no effect. */
const IGNORED: readonly Flag[] = [
  ignored('stream-chunk-size', 'text', 'output is sent as it comes'),
  ignored('http-idle-timeout', 'text', 'idle connections are closed by the server after 60 seconds'),
  ignored('zap-log-level', 'text', 'the level is set by --log-level'),
  ...IGNORED_ZAP,
];

/** The flags of the runtime, the server inside a sandbox. */
export const RUNTIME: Program = {
  name: 'agent-sandbox-runtime',
  words: 'Runs commands and serves files inside a sandbox.',
  flags: [
    VERSION_FLAG,
    { name: 'listen-host', type: 'text', value: 'address', words: 'Address to listen on.', default: '0.0.0.0', original: 'listen-host' },
    { name: 'port', type: 'integer', most: 65_535, words: 'Port to listen on; 0 means any.', default: RUNTIME_PORT },
    {
      name: 'rest-port', type: 'integer', most: 65_535, words: 'Another port for the same, where clients of sandboxd look for its REST API (8080); 0 means none.',
      default: 0, env: { name: 'SANDBOX_REST_PORT' }, original: 'rest-port',
    },
    {
      name: 'grpc-port', type: 'integer', most: 65_535, words: 'Another port for the same, where clients of sandboxd look for gRPC (9090); 0 means none.',
      default: 0, env: { name: 'SANDBOX_GRPC_PORT' }, original: 'grpc-port',
    },
    {
      name: 'auth-token-file', type: 'text', value: 'file', words: 'File with a token that callers have to show, except for health checks.', otherwise: 'none',
      env: { name: 'SANDBOX_AUTH_TOKEN_FILE' },
    },
    {
      name: 'base-dir', type: 'text', value: 'directory', words: 'Root of all files, and working directory of commands. It is created if it is missing.', otherwise: '/app',
      env: { name: 'SANDBOX_BASE_DIR', apart: true }, original: 'root-dir',
    },
    {
      name: 'exec-timeout-seconds', type: 'seconds', least: 1, words: 'Longest time that a command of /execute may take.', otherwise: '300',
      env: { name: 'SANDBOX_EXEC_TIMEOUT_SECONDS', apart: true },
    },
    {
      name: 'max-output-bytes', type: 'integer', least: 1, most: Number.MAX_SAFE_INTEGER, unit: 'bytes', words: 'Bytes that are kept of each output stream of a command.',
      default: 4_194_304, env: { name: 'SANDBOX_MAX_OUTPUT_BYTES' },
    },
    { name: 'max-commands', type: 'integer', least: 1, words: 'Commands that run at the same time.', default: 64, env: { name: 'SANDBOX_MAX_COMMANDS' } },
    {
      name: 'max-upload-bytes', type: 'integer', most: Number.MAX_SAFE_INTEGER, unit: 'bytes', words: 'Largest file that can be uploaded; 0 means no limit.', default: 0,
      env: { name: 'SANDBOX_MAX_UPLOAD_BYTES' },
    },
    {
      name: 'allowed-origins', type: 'list', words: 'Web pages that may call the runtime, as they appear in the header Origin.', otherwise: 'none',
      env: { name: 'SANDBOX_ALLOWED_ORIGINS' },
    },
    {
      name: 'metadata-env-prefix', type: 'text', value: 'prefix', words: 'Prefix of the variables that /v1/metadata shows; empty means the default.', default: 'SANDBOX_',
      original: 'metadata-env-prefix',
    },
    { name: 'shutdown-timeout', type: 'seconds', least: 1, words: 'Longest time that stopping may take.', default: 10, original: 'shutdown-timeout' },
    {
      name: 'log-level', type: 'choice', choices: ['fatal', 'error', 'warn', 'info', 'debug', 'silent'], value: 'level', words: 'Level of the log.', default: 'info',
      env: { name: 'SANDBOX_LOG_LEVEL' },
    },
    {
      name: 'computer-use', type: 'boolean', words: 'Whether /agent is served, in place of commands and files.', default: false, env: { name: 'SANDBOX_COMPUTER_USE' },
    },
    {
      name: 'agent-allowed-domains', type: 'list', words: 'Hosts that the browser may reach: `example.com`, `*.example.com`, `host:port`, or `*` for all public ones.',
      otherwise: 'none', env: { name: 'AGENT_ALLOWED_DOMAINS' },
    },
    {
      name: 'agent-model', type: 'text', value: 'name', words: 'Model that the agent asks.', default: 'gemini-2.5-computer-use-preview-10-2025',
      env: { name: 'AGENT_MODEL' },
    },
    {
      name: 'agent-base-url', type: 'text', value: 'url', words: 'Where the model is served.', otherwise: 'by Google', env: { name: 'AGENT_BASE_URL' },
    },
    {
      name: 'agent-search-url', type: 'text', value: 'url', words: 'Page that the action `search` opens.', default: 'https://www.google.com', env: { name: 'AGENT_SEARCH_URL' },
    },
    {
      name: 'agent-max-steps', type: 'integer', least: 1, most: 1000, words: 'Questions to the model in one run.', default: 50, env: { name: 'AGENT_MAX_STEPS' },
    },
    {
      name: 'agent-timeout-seconds', type: 'seconds', least: 1, words: 'Longest time of one run.', default: 600, env: { name: 'AGENT_TIMEOUT_SECONDS' },
    },
    { name: 'agent-chromium', type: 'text', value: 'file', words: 'Executable of the browser.', default: '/usr/bin/chromium', env: { name: 'AGENT_CHROMIUM' } },
    {
      name: 'agent-chromium-sandbox', type: 'boolean', words: "Whether the browser's own sandbox is used.", default: true, env: { name: 'AGENT_CHROMIUM_SANDBOX' },
    },
    ...IGNORED,
  ],
};
