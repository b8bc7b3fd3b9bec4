import { RouterToken, SandboxClient } from 'agent-sandbox-client';

/** The body is the snippet of the skill, so it is type-checked like everything else. */
export async function main(): Promise<void> {
  const client = new SandboxClient({ namespace: 'agents', token: RouterToken.fromServiceAccount({ name: 'agent' }) });
  await using sandbox = await client.create({ pool: 'python-pool', lifetime: { seconds: 3600 } });
  await sandbox.files.write('main.py', 'print(6 * 7)');
  const { stdout, exitCode } = await sandbox.commands.run('python main.py', { timeoutMs: 60_000 });
  console.log(stdout, exitCode);
}
