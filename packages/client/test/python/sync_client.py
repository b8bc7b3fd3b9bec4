"""The synchronous client of k8s-agent-sandbox 1.0.8, once through its whole surface for runtimes on port 8888."""
import io

from common import MODE, NAMESPACE, STATIC_TOKEN, URL, error_of, report, scoped_token
from k8s_agent_sandbox import SandboxClient
from k8s_agent_sandbox.models import SandboxDirectConnectionConfig, SandboxLocalTunnelConnectionConfig


def client_of(token=STATIC_TOKEN):
    if MODE == 'tunnel':
        return SandboxClient(SandboxLocalTunnelConnectionConfig(router_namespace=NAMESPACE))
    headers = {'Authorization': f'Bearer {token}'} if token else {}
    return SandboxClient(SandboxDirectConnectionConfig(api_url=URL, extra_headers=headers))


results = {}
client = client_of()
sandbox = client.create_sandbox('pool', namespace=NAMESPACE, labels={'suite': 'sync'}, shutdown_after_seconds=600)
try:
    results['status'] = sandbox.status()[0]
    if MODE == 'direct-scoped':
        uid = client.k8s_helper.get_sandbox(sandbox.sandbox_id, NAMESPACE)['metadata']['uid']
        owner, client = client, client_of(scoped_token(NAMESPACE, sandbox.sandbox_id, uid))
        sandbox = client.get_sandbox(sandbox.claim_name, namespace=NAMESPACE)
        other = owner.create_sandbox('pool', namespace=NAMESPACE)
        results['other'] = error_of(lambda: client.get_sandbox(other.claim_name, namespace=NAMESPACE).commands.run('id'))
        other.terminate()
    if MODE != 'tunnel':
        results['no token'] = error_of(lambda: client_of('').get_sandbox(sandbox.claim_name, namespace=NAMESPACE).commands.run('id'))
        results['wrong token'] = error_of(lambda: client_of('nonsense').get_sandbox(sandbox.claim_name, namespace=NAMESPACE).commands.run('id'))
    done = sandbox.commands.run("sh -c 'echo out; echo err >&2; exit 3'")
    results['run'] = [done.stdout, done.stderr, done.exit_code, done.timed_out]
    results['timed out'] = sandbox.commands.run('sleep 60', command_timeout=0.3).timed_out
    results['unknown program'] = sandbox.commands.run('no-such-program').exit_code
    sandbox.files.write('a/text.txt', 'grüße')
    sandbox.files.write('a/bytes.bin', bytes(range(256)))
    sandbox.files.write('a/stream.bin', io.BytesIO(b'x' * 200_000))
    results['read'] = sandbox.files.read('a/text.txt').decode()
    results['bytes'] = sandbox.files.read('/a/bytes.bin') == bytes(range(256))
    into = io.BytesIO()
    results['read_to'] = sandbox.files.read_to('a/stream.bin', into)
    results['list'] = sorted([entry.name, entry.size, entry.type] for entry in sandbox.files.list('a'))
    results['list root'] = [[entry.name, entry.type] for entry in sandbox.files.list('')]
    results['exists'] = [sandbox.files.exists('a/text.txt'), sandbox.files.exists('a/none')]
    results['read missing'] = error_of(lambda: sandbox.files.read('a/none'))
    results['list file'] = error_of(lambda: sandbox.files.list('a/text.txt'))
    results['escape'] = error_of(lambda: sandbox.files.read('../etc/passwd', allow_unsafe_paths=True))
    results['delete'] = error_of(lambda: sandbox.files.delete('a/text.txt'))
    results['listed'] = sandbox.claim_name in client.list_all_sandboxes(NAMESPACE, label_selector='suite=sync')
    results['warm pool'] = client.get_sandbox_claim_warmpool_name(sandbox.claim_name, NAMESPACE)
    results['no pool'] = error_of(lambda: client.create_sandbox('no-such-pool', namespace=NAMESPACE))
    results['no claim'] = error_of(lambda: client.get_sandbox('no-such-claim', namespace=NAMESPACE, resolve_timeout=2))
    if MODE == 'tunnel':
        named = client.create_sandbox('pool', namespace=NAMESPACE, claim_name='named-by-python')
        again = client_of().create_sandbox('pool', namespace=NAMESPACE, claim_name='named-by-python', adopt_existing=True)
        results['adopted'] = named.sandbox_id == again.sandbox_id
        again.close_connection()
        client.delete_sandbox('named-by-python', NAMESPACE)
        cold = client.create_sandbox('pool', namespace=NAMESPACE, env={'DEPTH': '3'})
        results['cold'] = cold.commands.run('echo cold').stdout
        cold.terminate()
finally:
    claim = sandbox.claim_name
    sandbox.terminate()
results['terminated'] = [sandbox.claim_name, claim in client.list_all_sandboxes(NAMESPACE)]
client.delete_all()
report(results)
