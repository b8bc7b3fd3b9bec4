import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import {
  AuthorityKeyIdentifierExtension, BasicConstraintsExtension, ExtendedKeyUsage, ExtendedKeyUsageExtension, type Extension, KeyUsageFlags,
  KeyUsagesExtension, PemConverter, SubjectAlternativeNameExtension, SubjectKeyIdentifierExtension, X509Certificate, X509CertificateGenerator,
} from '@peculiar/x509';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** A test control plane never lives longer than its certificates. */
const VALID_MS = 30 * 24 * 3600_000;

/** Clocks of containers and hosts may differ by a little. */
const SKEW_MS = 3600_000;

/** A certificate with its private key, both as PEM. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

export interface CertificateRequest {
  /** CN; for a client the user name. */
  readonly commonName: string;
  /** O, repeated; for a client its groups. @default - none */
  readonly organizations?: readonly string[];
  /** DNS names and IP addresses of a server. @default - a client certificate */
  readonly serverNames?: readonly string[];
}

/** A certificate authority that lives as long as one control plane. */
export class CertificateAuthority {
  /** Makes a new one. */
  public static async create(commonName: string): Promise<CertificateAuthority> {
    const keys = await generateKeys();
    const certificate = await X509CertificateGenerator.createSelfSigned({
      name: [{ CN: [commonName] }],
      keys,
      signingAlgorithm: ALGORITHM,
      ...validity(),
      extensions: [
        new BasicConstraintsExtension(true, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.digitalSignature, true),
        await SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    });
    return new CertificateAuthority(certificate, keys.privateKey);
  }

  /** Takes up one that was written to disk. */
  public static async load(pair: KeyPair): Promise<CertificateAuthority> {
    const key = await webcrypto.subtle.importKey('pkcs8', PemConverter.decode(pair.key)[0], ALGORITHM, true, ['sign']);
    return new CertificateAuthority(new X509Certificate(pair.cert), key);
  }

  private constructor(private readonly certificate: X509Certificate, private readonly key: webcrypto.CryptoKey) {}

  /** The public certificate as PEM. */
  public get cert(): string {
    return this.certificate.toString('pem');
  }

  /** Certificate and private key, to be written to disk. */
  public async export(): Promise<KeyPair> {
    return { cert: this.cert, key: await privateKeyPem(this.key) };
  }

  /** Issues a certificate for a client, or for a server if `serverNames` are given. */
  public async issue(request: CertificateRequest): Promise<KeyPair> {
    const keys = await generateKeys();
    const extensions: Extension[] = [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([request.serverNames ? ExtendedKeyUsage.serverAuth : ExtendedKeyUsage.clientAuth]),
      await AuthorityKeyIdentifierExtension.create(this.certificate.publicKey),
    ];
    if (request.serverNames) {
      extensions.push(new SubjectAlternativeNameExtension(request.serverNames.map(name => ({ type: isIP(name) ? 'ip' : 'dns', value: name }))));
    }
    const certificate = await X509CertificateGenerator.create({
      subject: [{ CN: [request.commonName] }, ...(request.organizations ?? []).map(organization => ({ O: [organization] }))],
      issuer: this.certificate.subjectName,
      publicKey: keys.publicKey,
      signingKey: this.key,
      signingAlgorithm: ALGORITHM,
      ...validity(),
      extensions,
    });
    return { cert: certificate.toString('pem'), key: await privateKeyPem(keys.privateKey) };
  }
}

/** Keys without certificate, for signing and checking ServiceAccount tokens. */
export async function tokenKeys(): Promise<{ privateKey: string; publicKey: string }> {
  const keys = await generateKeys();
  return {
    privateKey: await privateKeyPem(keys.privateKey),
    publicKey: PemConverter.encode(await webcrypto.subtle.exportKey('spki', keys.publicKey), 'PUBLIC KEY'),
  };
}

async function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
}

async function privateKeyPem(key: webcrypto.CryptoKey): Promise<string> {
  return PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY');
}

function validity(): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(Date.now() - SKEW_MS), notAfter: new Date(Date.now() + VALID_MS) };
}
