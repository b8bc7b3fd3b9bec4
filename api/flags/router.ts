import { ROUTER_AUDIENCE, RUNTIME_PORT } from '../vocabulary';
import { IGNORED_ZAP, KUBECONFIG_FLAG, LOG_LEVEL_FLAG, VERSION_FLAG, ignored } from './common';
import type { Flag, Program } from './flag';

/** Flags of the original that are accepted and have no effect. */
const IGNORED: readonly Flag[] = [
  ignored('cluster-domain', 'text', 'Sandboxes are found through the API, not by DNS names'),
  ignored('cache-enabled', 'boolean', 'Sandboxes are always found through a watch'),
  ignored('response-header-timeout', 'text', 'the wait for an answer is --proxy-timeout'),
  ignored('enable-otel-metrics', 'boolean', 'metrics are offered for Prometheus only'),
  ignored('authz-tokenreview-require-token', 'boolean', 'requests without a token are always refused'),
  ignored('authz-trust-forwarded-proto', 'boolean', 'headers of proxies count where --trusted-proxy-cidrs names the proxy', 'v1.0.12'),
  ...IGNORED_ZAP,
];

/** The flags of the router. */
export const ROUTER: Program = {
  name: 'agent-sandbox-router',
  words: 'Forwards HTTP and WebSocket requests to sandboxes.',
  flags: [
    VERSION_FLAG,
    {
      name: 'config', type: 'text', value: 'file', words: 'YAML file of flags by name, one `flag: value` per line. The command line wins over it.',
      otherwise: 'none', env: { name: 'SANDBOX_ROUTER_CONFIG', apart: true }, original: 'config',
    },

    // listeners
    { name: 'http-bind-address', type: 'text', value: 'address', words: 'Address of the HTTP listener; empty turns it off.', default: ':8080', original: 'http-bind-address' },
    { name: 'https-bind-address', type: 'text', value: 'address', words: 'Address of the HTTPS listener; empty turns it off.', default: '', original: 'https-bind-address' },
    { name: 'metrics-bind-address', type: 'text', value: 'address', words: 'Address of /metrics (HTTP); 0 turns it off.', default: ':9090', original: 'metrics-bind-address' },
    {
      name: 'health-probe-bind-address', type: 'text', value: 'address', words: 'Address of /healthz and /readyz (HTTP); 0 turns them off.', default: ':8081',
      original: 'health-probe-bind-address',
    },
    {
      name: 'tls-cert-file', type: 'text', value: 'file', words: 'Certificate of the HTTPS listener and its chain, as PEM.', otherwise: 'none', reload: 'content of the file',
      original: 'tls-cert-file',
    },
    {
      name: 'tls-key-file', type: 'text', value: 'file', words: 'Private key of this certificate, as PEM.', otherwise: 'none', reload: 'content of the file',
      original: 'tls-key-file',
    },
    {
      name: 'tls-client-ca-file', type: 'text', value: 'file', words: 'Authorities that sign client certificates, as PEM.', otherwise: 'none', reload: 'content of the file',
      original: 'tls-client-ca-file',
    },
    {
      name: 'mtls-mode', type: 'choice', choices: ['off', 'optional', 'required'], value: 'mode',
      words: 'Whether clients show certificates; with `optional`, those that are shown are verified.', default: 'off', original: 'mtls-mode',
    },
    {
      name: 'allow-http-tokens', type: 'boolean',
      words: 'Whether tokens are accepted over plain HTTP (8080) from other hosts, too: for routers behind something that ends TLS. Otherwise plain HTTP accepts them from tunnels only (`kubectl port-forward` and the tunnel mode of the clients).',
      default: false, prop: { name: 'allowHttpTokens' },
    },

    // authentication
    {
      name: 'authz-mode', type: 'list', choices: ['tokenreview', 'scoped-token', 'static-token', 'allow-all'], value: 'modes', notEmpty: true,
      words: 'How callers authenticate. `allow-all` disables authentication, and stands alone: anyone who can reach the router can then run code in every sandbox.',
      otherwise: 'tokenreview', original: 'authz-mode',
    },
    { name: 'authz-tokenreview-ttl', type: 'duration', words: 'How long the result of a TokenReview is cached.', default: 30_000, original: 'authz-tokenreview-ttl' },
    {
      name: 'authz-tokenreview-cache-size', type: 'integer', least: 1, words: 'Tokens, and decisions about them, that are cached at most.', default: 2048,
      original: 'authz-tokenreview-cache-size',
    },
    {
      name: 'authz-tokenreview-audiences', type: 'list', notEmpty: true, words: 'Audiences of tokens of the cluster. A token must have one of them.',
      default: [ROUTER_AUDIENCE], original: 'authz-tokenreview-audiences', prop: { name: 'tokenAudiences' },
    },
    { name: 'authz-access-ttl', type: 'duration', words: 'How long the decision whether a caller may use a Sandbox is cached.', default: 10_000 },
    {
      name: 'authz-scoped-token-secret-file', type: 'list', value: 'files',
      words: 'Keys of scoped tokens, one of at least 32 bytes in each file. A token that was signed with any of them is valid.', otherwise: 'none',
      reload: 'content of the file', original: 'authz-scoped-token-secret-file',
    },
    {
      name: 'authz-scoped-token-allow-v1', type: 'boolean', words: 'Whether tokens of version 1 are accepted, too. They also open a later Sandbox of the same name.',
      default: false,
    },
    {
      name: 'authz-static-token-file', type: 'text', value: 'file',
      words: 'File with the token that opens every Sandbox. The variable ROUTER_AUTH_TOKEN holds the token itself.', otherwise: 'none', reload: 'content of the file',
    },
    {
      name: 'authz-failure-rate-limit', type: 'number', least: 0, unit: 'tokens per second', words: 'Invalid tokens of one address; 0 means no limit.', default: 10,
    },

    // targets
    {
      name: 'cache-namespace', type: 'list', items: 'dnsLabel', unique: true, words: 'Namespaces whose Sandboxes are served.', otherwise: 'the whole cluster',
      original: 'cache-namespace',
    },
    KUBECONFIG_FLAG,
    {
      name: 'allow-loopback-pod-ip', type: 'boolean', words: 'FOR TESTS ONLY: connect to Pods whose address is on loopback.', default: false,
      original: 'allow-loopback-pod-ip',
    },
    {
      name: 'resume-on-request', type: 'boolean',
      words: 'Whether a request for a suspended sandbox resumes it, if the caller may patch it. Requests then wait for a sandbox that is starting.',
      default: false, prop: { name: 'resumeOnRequest' },
    },
    { name: 'resume-timeout', type: 'duration', least: 1, words: 'How long such a request waits for the sandbox.', default: 60_000, prop: { name: 'resumeTimeout' } },
    {
      name: 'rest-api', type: 'boolean',
      words: 'Whether sandboxes can be claimed over HTTP at /v1/sandboxes. Each request needs the right that its caller would need in Kubernetes.',
      default: false, prop: { name: 'restApi' },
    },
    {
      name: 'additional-ports', type: 'list', items: 'ports',
      words: `Ports that sandboxes need not declare, besides ${RUNTIME_PORT}: ports, ranges such as \`8000-8100\`, or \`*\` for all.`, otherwise: 'none',
      prop: { name: 'additionalPorts' },
    },

    // forwarding
    {
      name: 'proxy-timeout', type: 'duration', least: 1,
      words: 'Longest time from a request to the first byte of its answer, including resuming and connecting, and between two pieces of a body. The header X-Sandbox-Timeout can shorten it.',
      default: 180_000,
      env: { name: 'PROXY_TIMEOUT_SECONDS', unit: 's' }, original: 'proxy-timeout', prop: { name: 'proxyTimeout' },
    },
    { name: 'upstream-connect-timeout', type: 'duration', least: 1, words: 'Longest wait for a connection to a sandbox.', default: 5000 },
    {
      name: 'upstream-max-retries', type: 'integer', words: 'How often a failed connection to a sandbox is tried again.', default: 3, original: 'upstream-max-retries',
    },
    {
      name: 'upstream-retry-initial-delay', type: 'duration', words: 'Wait before the first of these attempts; it doubles with each.', default: 200,
      original: 'upstream-retry-initial-delay',
    },
    { name: 'upstream-retry-max-delay', type: 'duration', words: 'Longest of these waits.', default: 800, original: 'upstream-retry-max-delay' },

    // limits
    {
      name: 'max-request-body-bytes', type: 'integer', most: Number.MAX_SAFE_INTEGER, unit: 'bytes', words: 'Longest request body; 0 means no limit.', default: 0,
      original: 'max-request-body-bytes', prop: { name: 'maxRequestBodyBytes' },
    },
    { name: 'max-header-bytes', type: 'integer', least: 1024, unit: 'bytes', words: 'Longest request header, including the request line.', default: 16_384 },
    { name: 'read-header-timeout', type: 'duration', least: 1, words: 'How long a client may take to send the header of a request.', default: 10_000 },
    { name: 'idle-timeout', type: 'duration', least: 1, words: 'How long a connection without a request is kept open.', default: 120_000 },
    {
      name: 'rate-limit', type: 'number', least: 0, unit: 'requests per second', words: 'Average rate of the requests of one caller, in each worker; 0 means no limit.', default: 0,
      prop: { name: 'rateLimit' },
    },
    {
      name: 'rate-limit-burst', type: 'integer', least: 1, words: 'Requests of one caller that may exceed the average rate at once.', default: 100,
      prop: { name: 'rateLimitBurst' },
    },
    {
      name: 'max-requests-per-caller', type: 'integer',
      words: 'Requests of one caller at the same time, without WebSockets, in each worker; 0 means no limit.', default: 500, prop: { name: 'maxRequestsPerCaller' },
    },
    {
      name: 'max-connections', type: 'integer', words: 'Connections at the same time, in each worker; 0 means no limit.', default: 10_000,
      prop: { name: 'maxConnections' },
    },
    {
      name: 'max-connections-per-client', type: 'integer',
      words: 'Connections of one address at the same time, in each worker; 0 means no limit. Trusted proxies are not limited.', default: 1000,
      prop: { name: 'maxConnectionsPerClient' },
    },
    {
      name: 'websocket-idle-timeout', type: 'duration', words: 'How long a WebSocket may be silent; 0 means no limit.', default: 3_600_000,
      env: { name: 'WEBSOCKET_IDLE_TIMEOUT_SECONDS', unit: 's' }, prop: { name: 'websocketIdleTimeout' },
    },
    {
      name: 'websocket-max-lifetime', type: 'duration', words: 'How long a WebSocket may last; 0 means no limit.', default: 86_400_000,
      env: { name: 'WEBSOCKET_MAX_LIFETIME_SECONDS', unit: 's' }, prop: { name: 'websocketMaxLifetime' },
    },
    {
      name: 'websocket-max-connections-per-client', type: 'integer', words: 'WebSockets of one caller at the same time; 0 means no limit.', default: 64,
      env: { name: 'WEBSOCKET_MAX_CONNECTIONS_PER_CLIENT' },
    },
    {
      name: 'websocket-max-message-bytes', type: 'integer', most: Number.MAX_SAFE_INTEGER, unit: 'bytes',
      words: 'Longest message of a WebSocket, as it is on the wire; 0 means no limit.', default: 16_777_216, env: { name: 'WEBSOCKET_MAX_MESSAGE_BYTES' },
    },
    {
      name: 'websocket-outlive-token', type: 'boolean',
      words: 'Whether WebSockets and calls of gRPC go on after their token has expired, or its owner may no longer use the Sandbox.', default: false,
      prop: { name: 'websocketOutliveToken' },
    },
    {
      name: 'cors-allowed-origins', type: 'list', items: 'origin', otherwise: 'none',
      words: 'Origins of pages that may call sandboxes with a token in a header, such as `https://app.example.com`, or `*` for all. Preflight requests of others are refused.',
      prop: { name: 'corsAllowedOrigins' },
    },
    {
      name: 'trusted-proxy-cidrs', type: 'list', items: 'proxyCidr',
      words: 'Addresses of proxies whose headers X-Forwarded-For, -Host, -Proto, -Port and -Prefix are believed and passed on. Whole address spaces are refused: any client could claim to be another.', otherwise: 'none',
      env: { name: 'TRUSTED_PROXY_CIDRS' }, prop: { name: 'trustedProxyCidrs' },
    },

    // browsers
    {
      name: 'host-routing-domain', type: 'text', items: 'routeDomain', value: 'domain', default: '',
      words: 'Domain of host routes, such as sandboxes.example.com: a Sandbox then has the address `<name>--<namespace>--<port>.<domain>`.',
    },
    {
      name: 'path-routing-prefix', type: 'text', items: 'pathPrefix', value: 'path', default: '', original: 'path-routing-prefix', since: 'v1.0.12',
      words: 'Beginning of path routes, such as /sandboxes: a Sandbox then has the address `<prefix>/<namespace>/<name>/<port>/<path>`, and sees `/<path>`.',
    },
    {
      name: 'path-routing-unstripped-prefix', type: 'text', items: 'pathPrefix', value: 'path', default: '',
      words: 'The same for programs that know their base path: the Sandbox sees the path as it is.',
    },
    {
      name: 'path-routing-rewrite-responses', type: 'boolean', words: 'Whether the prefix is put before paths in Location and Set-Cookie of answers.', default: true,
      original: 'path-routing-rewrite-responses', since: 'v1.0.12',
    },
    {
      name: 'authz-cookie-name', type: 'text', items: 'cookieName', value: 'name', default: 'sandbox-session', original: 'authz-cookie-name', since: 'v1.0.12',
      words: 'Cookie that holds the session of a browser for one Sandbox. Browsers see it with the prefix __Host- or __Secure-.',
    },
    {
      name: 'authz-cookie-query-param', type: 'text', items: 'cookieName', value: 'name', default: 'sandbox_token', original: 'authz-cookie-query-param', since: 'v1.0.12',
      words: 'Query parameter that carries the token which is exchanged for the cookie.',
    },
    {
      name: 'authz-cookie-same-site', type: 'choice', choices: ['lax', 'strict', 'none'], value: 'mode', default: 'lax', original: 'authz-cookie-samesite', since: 'v1.0.12',
      words: 'SameSite of the cookie. With `none`, Sandboxes can be used in frames of --authz-cookie-allowed-origins.',
    },
    {
      name: 'authz-cookie-insecure', type: 'boolean', words: 'FOR TESTS ONLY: send the cookie over plain HTTP.', default: false,
      original: 'authz-cookie-insecure', since: 'v1.0.12',
    },
    {
      name: 'authz-cookie-allowed-origins', type: 'list', items: 'origin', otherwise: 'none', original: 'authz-cookie-allowed-origins', since: 'v1.0.12',
      words: 'Origins besides its own whose pages may use a Sandbox by the cookie, or sign browsers in by a link.',
    },
    {
      name: 'authz-cookie-key-file', type: 'list', value: 'files', otherwise: 'a random key',
      words: 'Keys that seal sessions, one of at least 32 bytes in each file, the same for all replicas. The first seals, all open.',
    },
    {
      name: 'authz-cookie-lifetime', type: 'duration', least: 1000, words: 'Longest session of a browser. It ends with its token in any case.', default: 43_200_000,
    },
    {
      name: 'browser-oidc-issuer-url', type: 'text', items: 'secureUrl', value: 'url', words: 'OpenID Connect provider where people sign in.', otherwise: 'none',
    },
    { name: 'browser-oidc-client-id', type: 'text', value: 'id', words: 'Client ID of the router at the provider.', otherwise: 'none' },
    {
      name: 'browser-oidc-client-secret-file', type: 'text', value: 'file', words: 'File with the client secret.', otherwise: 'none', reload: 'content of the file',
    },
    {
      name: 'browser-oidc-redirect-url', type: 'text', items: 'secureUrl', value: 'url', otherwise: 'none',
      words: "Where the provider sends browsers back to: a host of the router that is no Sandbox's, such as https://login.sandboxes.example.com/oidc/callback.",
    },
    { name: 'browser-oidc-scopes', type: 'list', words: 'Scopes that the router asks for.', default: ['openid'] },
    {
      name: 'browser-oidc-username-claim', type: 'text', value: 'claim', words: 'Claim that holds the user name, as --oidc-username-claim of the API server.', default: 'sub',
    },
    {
      name: 'browser-oidc-username-prefix', type: 'text', words: 'Text before user names.', otherwise: 'the issuer and #; nothing with the claim email',
    },
    { name: 'browser-oidc-groups-claim', type: 'text', value: 'claim', words: 'Claim that holds the groups.', default: 'groups' },
    { name: 'browser-oidc-groups-prefix', type: 'text', words: 'Text before groups.', default: '' },

    // the process
    {
      name: 'workers', type: 'integer', words: 'Worker processes; 0 means one for each core, at most 8.', default: 0, prop: { name: 'workers', default: 1 },
    },
    { name: 'shutdown-timeout', type: 'duration', words: 'Time that requests have to end after SIGTERM.', default: 30_000, original: 'shutdown-timeout' },
    { name: 'access-log', type: 'boolean', words: 'Whether each request is logged.', default: true, original: 'access-log', prop: { name: 'accessLog' } },
    LOG_LEVEL_FLAG,
    {
      name: 'enable-tracing', type: 'boolean', words: 'Whether traces are exported over OTLP (gRPC).', otherwise: 'if OTEL_EXPORTER_OTLP_ENDPOINT is set',
      original: 'enable-tracing', prop: { name: 'enableTracing' },
    },
    ...IGNORED,
  ],
};
