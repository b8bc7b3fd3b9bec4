import { ApiObject, App, Chart } from 'cdk8s';

// REPLACE: your build of images/client, pinned by its digest; the host of the service; who may connect to it.
const IMAGE = `registry.example/agent-sandbox-client@sha256:${'0'.repeat(64)}`;
const HOST = 'mcp.example.com';
const GATEWAY_NAMESPACE = 'ingress-nginx';
// REPLACE: the pool that sandboxes come from, and its namespace.
const POOL = { namespace: 'agents', name: 'python' };

const ROUTER = { namespace: 'agent-sandbox-system', service: 'sandbox-router-svc', labels: { app: 'sandbox-router' }, port: 8443 };
const NAMESPACE = 'agent-sandbox-mcp';
const PORT = 8090;
const LABELS = { 'app.kubernetes.io/name': 'agent-sandbox-mcp' };

const app = new App();
// Named so that its file is the first to be applied.
new ApiObject(new Chart(app, 'agent-sandbox-mcp'), 'namespace', {
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name: NAMESPACE, labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
});

const chart = new Chart(app, 'mcp-service', { namespace: NAMESPACE });

new ApiObject(chart, 'deployment', {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'mcp', labels: LABELS },
  spec: {
    // Sessions are in memory: more replicas need a proxy that sends all requests of an Mcp-Session-Id to the same one.
    replicas: 1,
    selector: { matchLabels: LABELS },
    template: {
      metadata: { labels: LABELS },
      spec: {
        // It has no rights: it works with the tokens of its callers.
        automountServiceAccountToken: false,
        enableServiceLinks: false,
        // Sandboxes of sessions are deleted at the end.
        terminationGracePeriodSeconds: 45,
        securityContext: { runAsNonRoot: true, runAsUser: 65532, runAsGroup: 65532, seccompProfile: { type: 'RuntimeDefault' } },
        containers: [{
          name: 'mcp',
          image: IMAGE,
          args: [
            'mcp', `--http=:${PORT}`, '--allow-http-tokens', `--allowed-host=${HOST}`, '--rest-api',
            `--url=https://${ROUTER.service}.${ROUTER.namespace}.svc:${ROUTER.port}`, '--ca-file=/etc/router-ca/ca.crt', `--namespace=${POOL.namespace}`, `--pool=${POOL.name}`,
          ],
          ports: [{ name: 'http', containerPort: PORT }],
          readinessProbe: { httpGet: { path: '/healthz', port: 'http' } },
          livenessProbe: { httpGet: { path: '/healthz', port: 'http' } },
          resources: { requests: { cpu: '50m', memory: '128Mi' }, limits: { memory: '512Mi' } },
          securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
          volumeMounts: [{ name: 'router-ca', mountPath: '/etc/router-ca', readOnly: true }],
        }],
        volumes: [{ name: 'router-ca', configMap: { name: 'router-ca' } }],
      },
    },
  },
});

new ApiObject(chart, 'service', {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'mcp', labels: LABELS },
  spec: { selector: LABELS, ports: [{ name: 'http', port: 80, targetPort: 'http' }] },
});

new ApiObject(chart, 'ingress', {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'Ingress',
  metadata: { name: 'mcp', labels: LABELS },
  spec: {
    tls: [{ hosts: [HOST], secretName: 'mcp-tls' }],
    rules: [{ host: HOST, http: { paths: [{ path: '/mcp', pathType: 'Exact', backend: { service: { name: 'mcp', port: { name: 'http' } } } }] } }],
  },
});

// In from the gateway, out to the name server and the router.
new ApiObject(chart, 'network-policy', {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name: 'mcp', labels: LABELS },
  spec: {
    podSelector: { matchLabels: LABELS },
    policyTypes: ['Ingress', 'Egress'],
    ingress: [{ from: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': GATEWAY_NAMESPACE } } }], ports: [{ port: PORT, protocol: 'TCP' }] }],
    egress: [
      {
        to: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'kube-system' } }, podSelector: { matchLabels: { 'k8s-app': 'kube-dns' } } }],
        ports: [{ port: 53, protocol: 'UDP' }, { port: 53, protocol: 'TCP' }],
      },
      {
        to: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': ROUTER.namespace } }, podSelector: { matchLabels: ROUTER.labels } }],
        ports: [{ port: ROUTER.port, protocol: 'TCP' }],
      },
    ],
  },
});

app.synth();
