// Runs in jest's main process: starts the control plane of a run when the first suite asks for it, and stops it at the end.
//
// Plain JavaScript, because jest loads `globalSetup` with whatever transform the first project happens to have. Nothing is
// loaded before a suite asks, so runs without such suites do not pay.
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';

/** @type {import('node:http').Server | undefined} */
let server;
/** @type {Promise<import('./shared.js').SharedCluster> | undefined} */
let shared;

/** Suites run in other processes: they find this one by an address with a secret in their environment. */
export async function setup() {
  const token = randomUUID();
  const reasons = new Set();
  server = createServer((request, response) => {
    if (request.headers.authorization !== `Bearer ${token}`) {
      response.writeHead(403).end();
    } else if (request.url === '/skipped') {
      text(request).then(reason => {
        if (!reasons.has(reason)) {
          reasons.add(reason);
          process.stderr.write(`testbed: suites are skipped: ${reason}\n`);
        }
        response.end();
      });
    } else {
      shared ??= start();
      shared.then(
        ({ dir }) => response.end(JSON.stringify({ dir })),
        error => response.writeHead(500).end(JSON.stringify({ error: error.message })),
      );
    }
  });
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
  server.unref();
  process.env.AGENT_SANDBOX_TESTBED_RUN = `http://127.0.0.1:${server.address().port} ${token}`;
}

export async function teardown() {
  server?.close();
  server?.closeAllConnections();
  const stopped = shared?.then(running => running.stop(), () => undefined);
  // In watch mode the next run starts anew.
  shared = undefined;
  await stopped;
}

async function start() {
  const { tsImport } = await import('tsx/esm/api');
  const { startShared } = await tsImport('./shared.ts', import.meta.url);
  return startShared();
}

async function text(request) {
  let all = '';
  for await (const chunk of request) {
    all += chunk;
  }
  return all;
}
