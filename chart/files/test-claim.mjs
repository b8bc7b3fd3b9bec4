// What `helm test` runs in a Pod: claims a sandbox, runs a command in it, and deletes the claim. Its service account may do no more than that.
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { request as secureRequest } from 'node:https';

const claim = JSON.parse(process.env.CLAIM);
const port = Number(process.env.RUNTIME_PORT);
const deadline = Date.now() + Number(process.env.TIMEOUT_SECONDS) * 1000;
const account = process.env.SERVICE_ACCOUNT_DIR ?? '/var/run/secrets/kubernetes.io/serviceaccount';
const ca = readFileSync(`${account}/ca.crt`);
const { namespace, name } = claim.metadata;
const claims = `/apis/${claim.apiVersion}/namespaces/${namespace}/sandboxclaims`;

/** Sends JSON; resolves with the status and the answer. */
function send(start, options, body) {
  return new Promise((resolve, reject) => {
    const text = body === undefined ? '' : JSON.stringify(body);
    const headers = { ...options.headers, ...text && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) } };
    const sent = start({ ...options, headers, timeout: 30_000 }, response => {
      const chunks = [];
      response.on('data', chunk => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const answer = Buffer.concat(chunks).toString();
        try {
          resolve({ status: response.statusCode, body: JSON.parse(answer) });
        } catch {
          resolve({ status: response.statusCode, body: { message: answer } });
        }
      });
    });
    sent.on('timeout', () => sent.destroy(new Error('no answer within 30 s')));
    sent.on('error', reject);
    sent.end(text);
  });
}

const api = (method, path, body) => send(secureRequest, {
  method, path, ca, host: process.env.KUBERNETES_SERVICE_HOST, port: process.env.KUBERNETES_SERVICE_PORT,
  headers: { authorization: `Bearer ${readFileSync(`${account}/token`, 'utf8').trim()}` },
}, body);

/** Calls `attempt` once a second until it returns something. */
async function until(what, attempt) {
  for (let last = 'nothing yet'; ;) {
    const found = await attempt(words => {
      last = words;
    });
    if (found !== undefined) {
      return found;
    }
    if (Date.now() > deadline) {
      throw new Error(`timed out waiting for ${what}: ${last}`);
    }
    await new Promise(resolve => setTimeout(resolve, 1000));
  }
}

function expected({ status, body }, ...statuses) {
  if (!statuses.includes(status)) {
    throw new Error(`the API server answered ${status}: ${body.message}`);
  }
}

async function main() {
  // One that an earlier test has left is in the way until it is gone.
  expected(await api('DELETE', `${claims}/${name}`), 200, 202, 404);
  await until('the claim to be created', async say => {
    const answer = await api('POST', claims, claim);
    expected(answer, 201, 409);
    say(answer.body.message);
    return answer.status === 201 ? true : undefined;
  });
  console.log(`claimed ${namespace}/${name}`);
  try {
    const address = await until('the sandbox to be ready', async say => {
      const { body: { status = {} }, ...answer } = await api('GET', `${claims}/${name}`);
      expected({ ...answer, body: status }, 200);
      const ready = status.conditions?.find(({ type }) => type === 'Ready');
      say(ready ? `${ready.reason}: ${ready.message}` : 'the claim has no condition Ready: is the controller running?');
      return ready?.status === 'True' ? status.sandbox?.podIPs?.[0] : undefined;
    });
    console.log(`ready at ${address}`);
    const words = 'a sandbox of agent-sandbox';
    await until('the command', async say => {
      try {
        const { status, body } = await send(request, { method: 'POST', host: address, port, path: '/execute' }, { command: `echo ${words}` });
        say(`${status}: ${JSON.stringify(body)}`);
        return status === 200 && body.stdout === `${words}\n` ? true : undefined;
      } catch (error) {
        say(`${error.message}; if the network plugin needs a moment for policies, this goes away`);
        return undefined;
      }
    });
    console.log('ran a command in it');
  } finally {
    expected(await api('DELETE', `${claims}/${name}`), 200, 202, 404);
  }
}

main().catch(error => {
  console.error(error.message);
  process.exitCode = 1;
});
