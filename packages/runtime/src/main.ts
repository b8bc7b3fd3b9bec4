#!/usr/bin/env node
import { onStop, runProgram } from 'agent-sandbox-program';
import { pino, type Logger } from 'pino';
import type { AgentOptions } from './computer-use/agent.js';
import { DomainPatternError, DomainPolicy } from './computer-use/policy.js';
import { chromiumSandboxProblem, SANDBOX_REMEDY } from './computer-use/sandbox.js';
import { UnsupportedPlatformError } from './errors.js';
import { sweepTemporaryFiles, ownTemporaryFiles } from './files/temporary.js';
import { baseDirOf, execTimeoutOf, parseFlags, type Flags } from './flags.js';
import { listenAlso } from './http/listen.js';
import { TokenFile, TokenFileError } from './http/token.js';
import { becomeInit } from './init.js';
import { agentRoute } from './plain/agent.js';
import { Runtime } from './runtime.js';
import { COMMAND_ROUTES, COMMON_ROUTES, createServer } from './server.js';

await runProgram({ name: 'agent-sandbox-runtime', parse: parseFlags, run, refuse: message => pino().error(message), usageExitCode: 1 });

async function run(given: Flags): Promise<void> {
  const logger = pino({ level: given.logLevel });
  becomeInit(logger);
  if (given.ignored.length > 0) {
    logger.info({ flags: given.ignored }, 'flags are accepted, but have no effect');
  }
  try {
    const agent = given.computerUse ? agentOptionsOf(given) : undefined;
    const started = Date.now();
    ownTemporaryFiles(given.port);
    const token = given.authTokenFile === undefined ? undefined : new TokenFile(given.authTokenFile);
    const runtime = await Runtime.open({
      ...given,
      baseDir: baseDirOf(given, process.env),
      execTimeoutSeconds: execTimeoutOf(given, process.env, logger),
      env: { ...process.env },
      token,
      logger,
    });
    const server = await createServer(runtime, [...COMMON_ROUTES, ...(agent ? [agentRoute(agent)] : COMMAND_ROUTES)]);
    await server.listen({ host: given.listenHost, port: given.port });
    const further = [given.restPort, given.grpcPort].filter(port => port !== 0);
    const others = await Promise.all(further.map(port => listenAlso(server.server, given.listenHost, port)));
    if (agent === undefined) {
      // Not waited for: a volume may hold millions of files.
      void sweepTemporaryFiles(runtime.tree.base, started, logger, runtime.stopped);
    } else if (agent.chromiumSandbox) {
      void chromiumSandboxProblem().then(problem => problem !== undefined && logger.warn(`runs of the agent will fail: ${problem}: ${SANDBOX_REMEDY}`));
    }
    onStop(signal => void stop(given, logger, signal, async () => {
      others.forEach(other => other.close());
      await Promise.all([runtime.stop(), server.close()]);
      await runtime.close();
    }));
  } catch (error) {
    if (error instanceof UnsupportedPlatformError || error instanceof DomainPatternError || error instanceof TokenFileError) {
      logger.fatal(error.message);
    } else if (error instanceof Error && 'syscall' in error) {
      // The system refuses an address or a directory: a stack would say nothing about it.
      logger.fatal(`cannot start: ${error.message}: choose another --listen-host, --port or --base-dir`);
    } else {
      logger.fatal({ err: error }, 'cannot start');
    }
    process.exitCode = 1;
  }
}

/** A runtime with an agent runs no commands, so that none can look for the key. */
function agentOptionsOf(given: Flags): AgentOptions {
  const apiKey = process.env.GEMINI_API_KEY ?? process.env.GOOGLE_API_KEY;
  delete process.env.GEMINI_API_KEY;
  delete process.env.GOOGLE_API_KEY;
  // Reports errors at start.
  new DomainPolicy(given.agentAllowedDomains);
  return {
    apiKey,
    model: given.agentModel,
    baseUrl: given.agentBaseUrl,
    maxSteps: given.agentMaxSteps,
    timeoutSeconds: given.agentTimeoutSeconds,
    allowedDomains: given.agentAllowedDomains,
    searchUrl: given.agentSearchUrl,
    chromium: given.agentChromium,
    chromiumSandbox: given.agentChromiumSandbox,
  };
}

async function stop(given: Flags, logger: Logger, signal: string, end: () => Promise<void>): Promise<void> {
  logger.info({ signal }, 'stopping');
  const timer = setTimeout(() => {
    logger.warn('connections are still open after --shutdown-timeout');
    process.exit(0);
  }, given.shutdownTimeout * 1000);
  await end();
  clearTimeout(timer);
  logger.info('ended');
  // Whatever a handle still waits for must not keep the process alive.
  process.exit(0);
}
