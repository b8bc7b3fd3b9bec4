"""The asynchronous client of k8s-agent-sandbox 1.0.8."""
import asyncio

from common import MODE, NAMESPACE, STATIC_TOKEN, URL, report, scoped_token
from k8s_agent_sandbox import AsyncSandboxClient
from k8s_agent_sandbox.models import SandboxDirectConnectionConfig


def config_of(token=STATIC_TOKEN):
    headers = {} if MODE == 'open' else {'Authorization': f'Bearer {token}'}
    return SandboxDirectConnectionConfig(api_url=URL, extra_headers=headers)


async def error_of(awaitable):
    try:
        await awaitable
    except Exception as error:  # noqa: BLE001
        return [type(error).__name__, getattr(error, 'status_code', None)]
    return ['none', None]


async def surface(sandbox, results):
    done = await sandbox.commands.run("sh -c 'echo out; echo err >&2; exit 3'")
    results['run'] = [done.stdout, done.stderr, done.exit_code, done.timed_out]
    results['timed out'] = (await sandbox.commands.run('sleep 60', command_timeout=0.3)).timed_out
    await sandbox.files.write('a/text.txt', 'grüße')
    results['read'] = (await sandbox.files.read('a/text.txt')).decode()
    results['list'] = [[entry.name, entry.size, entry.type] for entry in await sandbox.files.list('a')]
    results['exists'] = [await sandbox.files.exists('a/text.txt'), await sandbox.files.exists('a/none')]
    results['read missing'] = await error_of(sandbox.files.read('a/none'))


async def main():
    results = {}
    async with AsyncSandboxClient(config_of(), cleanup=False) as client:
        sandbox = await client.create_sandbox('pool', namespace=NAMESPACE, shutdown_after_seconds=600)
        claim = sandbox.claim_name
        results['status'] = (await sandbox.status())[0]
        if MODE == 'direct-scoped':
            found = await client.k8s_helper.get_sandbox(sandbox.sandbox_id, NAMESPACE)
            token = scoped_token(NAMESPACE, sandbox.sandbox_id, found['metadata']['uid'])
            scoped = AsyncSandboxClient(config_of(token), cleanup=False)
            await surface(await scoped.get_sandbox(claim, namespace=NAMESPACE), results)
            await scoped.close()
        else:
            await surface(sandbox, results)
        results['no pool'] = await error_of(client.create_sandbox('no-such-pool', namespace=NAMESPACE))
        results['no claim'] = await error_of(client.get_sandbox('no-such-claim', namespace=NAMESPACE, resolve_timeout=2))
        results['listed'] = claim in await client.list_all_sandboxes(NAMESPACE)
        await client.delete_sandbox(claim, NAMESPACE)
        results['deleted'] = claim not in await client.list_all_sandboxes(NAMESPACE)
    report(results)


asyncio.run(main())
