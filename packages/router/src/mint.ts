import { readFileSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import { SANDBOXES, definedOnly } from 'agent-sandbox-api';
import { parseCommand, parseDuration } from 'agent-sandbox-program';
import { Cluster, Reader, loadCredentials } from 'agent-sandbox-kube';
import { mintScopedToken, readKey } from './auth/scoped-token.js';

interface MintFlags {
  readonly keyFile: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid?: string;
  readonly lifetime: number;
  readonly kubeconfig?: string;
}

/** `agent-sandbox-router mint`: prints a token for one Sandbox. Throws `FlagError` for a wrong command line. */
export async function mint(args: readonly string[], write: (text: string) => void = text => process.stdout.write(text)): Promise<void> {
  const flags = parse(args, write);
  const key = readKey(readFileSync(flags.keyFile, 'utf8'), flags.keyFile);
  const { namespace, name } = flags;
  const uid = flags.uid ?? await findUid(flags);
  const exp = Math.floor(Date.now() / 1000) + Math.floor(flags.lifetime / 1000);
  write(`${mintScopedToken(key, { namespace, name, uid, exp })}\n`);
}

function parse(args: readonly string[], write: (text: string) => void): MintFlags {
  const program = new Command('agent-sandbox-router mint')
    .description('Prints a token that opens one Sandbox until it expires.')
    .requiredOption('--key-file <file>', 'the key that signs it: one of --authz-scoped-token-secret-file')
    .requiredOption('--name <name>', 'of the Sandbox')
    .option('--namespace <name>', 'of the Sandbox', 'default')
    .option('--uid <uid>', 'of the Sandbox; default: asked from the API server')
    .addOption(new Option('--lifetime <duration>', 'how long it is good, at least 1s').argParser(lifetime).default(3_600_000, '1h'))
    .option('--kubeconfig <file>', 'how to reach the API server; default: KUBECONFIG, the own pod, ~/.kube/config');
  return parseCommand(program, args, write).opts<MintFlags>();
}

function lifetime(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined || ms < 1_000) {
    throw new InvalidArgumentError('give a duration of at least 1s, such as 1h.');
  }
  return ms;
}

async function findUid({ kubeconfig, namespace, name }: MintFlags): Promise<string> {
  const cluster = new Cluster({ credentials: loadCredentials(definedOnly({ kubeconfig })), userAgent: 'agent-sandbox-router/mint' });
  try {
    const { metadata } = await new Reader(cluster).get(SANDBOXES, { namespace, name });
    return metadata.uid!;
  } finally {
    await cluster.close();
  }
}
