import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { CertificateAuthority, type CertificateRequest, type KeyPair, tokenKeys } from './certificates.js';
import { type WorkFiles, auditPolicy, type AuditLevel } from './components.js';
import { type Connection, kubeconfigText, subjectOf } from './kubeconfig.js';

/** Names under which clients reach the API server. */
const SERVER_NAMES = ['localhost', 'kubernetes', 'kubernetes.default', 'kubernetes.default.svc', '127.0.0.1', '10.96.0.1'];

/** Users as whom the components talk to the API server; the names that begin with `system:` carry the rights they need. */
const COMPONENT_USERS: Record<string, CertificateRequest> = {
  'kube-controller-manager': { commonName: 'system:kube-controller-manager' },
  'kube-scheduler': { commonName: 'system:kube-scheduler' },
  'kwok': { commonName: 'testbed-kwok', organizations: ['system:masters'] },
  'kube-proxy': { commonName: 'system:kube-proxy' },
  'kube-router': { commonName: 'testbed-kube-router', organizations: ['system:masters'] },
  'local-path-provisioner': { commonName: 'testbed-local-path-provisioner', organizations: ['system:masters'] },
};

/**
 * Makes all keys and certificates of a control plane and writes those that its components read.
 *
 * @param addresses of the server beyond loopback
 */
export async function writePki(files: WorkFiles, addresses: readonly string[] = []): Promise<{ ca: CertificateAuthority; admin: KeyPair }> {
  await mkdir(files.pki('.'), { recursive: true, mode: 0o700 });
  const ca = await CertificateAuthority.create('testbed-ca');
  const frontProxyCa = await CertificateAuthority.create('testbed-front-proxy-ca');
  const { user, groups } = subjectOf('admin');
  const [serving, frontProxy, kubeletClient, admin, tokens] = await Promise.all([
    ca.issue({ commonName: 'kube-apiserver', serverNames: [...SERVER_NAMES, ...addresses] }),
    frontProxyCa.issue({ commonName: 'front-proxy-client' }),
    ca.issue({ commonName: 'kube-apiserver-kubelet-client', organizations: ['system:masters'] }),
    ca.issue({ commonName: user, organizations: groups }),
    tokenKeys(),
  ]);
  await Promise.all([
    writePair(files, 'ca', await ca.export()),
    writePair(files, 'front-proxy-ca', await frontProxyCa.export()),
    writePair(files, 'kube-apiserver', serving),
    writePair(files, 'front-proxy-client', frontProxy),
    writePair(files, 'kubelet-client', kubeletClient),
    writeFile(files.pki('tokens.key'), tokens.privateKey, { mode: 0o600 }),
    writeFile(files.pki('tokens.pub'), tokens.publicKey),
  ]);
  return { ca, admin };
}

/** Writes the kubeconfigs of the components other than the server. */
export async function writeComponentKubeconfigs(files: WorkFiles, ca: CertificateAuthority, server: string): Promise<void> {
  await mkdir(files.kubeconfigs, { recursive: true, mode: 0o700 });
  await Promise.all(Object.entries(COMPONENT_USERS).map(async ([component, request]) => {
    const connection: Connection = { server, ca: ca.cert, ...await ca.issue(request) };
    await writeFile(files.kubeconfig(component), kubeconfigText(connection, request.commonName), { mode: 0o600 });
  }));
}

/** Takes up the authority of a running control plane. */
export async function loadAuthority(files: WorkFiles): Promise<CertificateAuthority> {
  const { cert, key } = files.pair('ca');
  return CertificateAuthority.load({ cert: await readFile(cert, 'utf8'), key: await readFile(key, 'utf8') });
}

/** Writes what the API server is to note of each request. */
export async function writeAuditPolicy(files: WorkFiles, level: AuditLevel): Promise<void> {
  // JSON is YAML.
  await writeFile(files.auditPolicy, JSON.stringify(auditPolicy(level)));
}

/** Writes a certificate and its key. */
export async function writePair(files: WorkFiles, name: string, pair: KeyPair): Promise<void> {
  const { cert, key } = files.pair(name);
  await writeFile(cert, pair.cert);
  await writeFile(key, pair.key, { mode: 0o600 });
}
