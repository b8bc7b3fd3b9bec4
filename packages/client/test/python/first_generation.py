"""The client of the first generation, k8s-agent-sandbox 0.1.1.post3: v1alpha1, a template instead of a pool, a router in the namespace."""
from common import MODE, NAMESPACE, STATIC_TOKEN, URL, error_of, report, scoped_token
from k8s_agent_sandbox import SandboxClient

results = {}
client = SandboxClient('python', namespace=NAMESPACE, api_url=URL or None)
with client as sandbox:
    claim = sandbox.claim_name
    results['named'] = sandbox.sandbox_name == claim
    results['ready'] = sandbox.is_ready()
    if MODE == 'direct':
        sandbox.session.headers['Authorization'] = f'Bearer {STATIC_TOKEN}'
    elif MODE == 'direct-scoped':
        found = sandbox.custom_objects_api.get_namespaced_custom_object('agents.x-k8s.io', 'v1alpha1', NAMESPACE, 'sandboxes', claim)
        sandbox.session.headers['Authorization'] = 'Bearer ' + scoped_token(NAMESPACE, claim, found['metadata']['uid'])
    done = sandbox.run("sh -c 'echo out; echo err >&2; exit 3'")
    results['run'] = [done.stdout, done.stderr, done.exit_code]
    sandbox.write('text.txt', 'grüße')
    results['read'] = sandbox.read('text.txt').decode()
    results['list'] = [[entry.name, entry.size, entry.type] for entry in sandbox.list('')]
    results['exists'] = [sandbox.exists('text.txt'), sandbox.exists('none')]
    results['read missing'] = error_of(lambda: sandbox.read('none'))[0]
claims = client.custom_objects_api.list_namespaced_custom_object('extensions.agents.x-k8s.io', 'v1alpha1', NAMESPACE, 'sandboxclaims')['items']
results['deleted'] = all(item['metadata']['name'] != claim or item['metadata'].get('deletionTimestamp') for item in claims)
report(results)
