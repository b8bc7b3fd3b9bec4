// Runs in jest's main process: starts the control plane of a run when the first suite asks for it, and stops it at the end.
//
// Plain JavaScript, because jest loads `globalSetup` with whatever transform the first project happens to have. Nothing is
// loaded before a suite asks, so runs without such suites do not pay.
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';

/** @type {import('node:http').Server | undefined} */
let server;
/** What suites share, by the path at which they ask for it. @type {Map<string, Promise<import('./shared.js').SharedCluster>>} */
const shared = new Map();

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
      const path = request.url ?? '';
      const cluster = shared.get(path) ?? start(path);
      shared.set(path, cluster);
      cluster.then(
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
  const stopped = [...shared.values()].map(cluster => cluster.then(running => running.stop(), () => undefined));
  // In watch mode the next run starts anew.
  shared.clear();
  await Promise.all(stopped);
}

/** @param {string} path */
async function start(path) {
  const { tsImport } = await import('tsx/esm/api');
  const { startShared, startSharedNode } = await tsImport('./shared.ts', import.meta.url);
  return path === '/node' ? startSharedNode() : startShared();
}

async function text(request) {
  let all = '';
  for await (const chunk of request) {
    all += chunk;
  }
  return all;
}
