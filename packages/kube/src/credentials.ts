/** Client credentials and the CA of the server. PEM texts or buffers. */
export interface TlsMaterial {
  /** @default - the authorities that Node trusts */
  readonly ca?: string | Buffer;
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
  /** Name that the server's certificate must have. @default - the host of the address */
  readonly servername?: string;
  /** @default true */
  readonly rejectUnauthorized?: boolean;
}

/** What requests carry. An instance never changes: new credentials are a new one. */
export interface Access {
  /** Authorization and impersonation, lower-case names. */
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly tls: TlsMaterial;
}

/** Where an API server is and how we identify ourselves. */
export interface Credentials {
  /** Address with scheme and port; may have a path, as servers behind a gateway do. */
  readonly server: string;
  /** Namespace of the kubeconfig's context or of the own pod. @default - none is known */
  readonly namespace?: string;
  /** HTTP proxy between us and the server. @default - none */
  readonly proxyUrl?: string;
  /** What to send now. Called before each request, so it answers from memory unless something is due to be renewed. */
  access(): Access | Promise<Access>;
  /** The server did not accept these: the next `access` fetches others if there are any. */
  reject(access: Access): void;
}

/** Credentials that stay as they are. */
export interface StaticCredentialsOptions extends TlsMaterial {
  readonly server: string;
  readonly namespace?: string;
  /** Bearer token. @default - none */
  readonly token?: string;
}

/** Credentials that stay as they are: for tests, and for tools that get them from elsewhere. */
export function staticCredentials({ server, namespace, token, ...tls }: StaticCredentialsOptions): Credentials {
  const access: Access = { headers: token ? { authorization: `Bearer ${token}` } : {}, tls };
  return { server: server.replace(/\/$/, ''), namespace, access: () => access, reject: () => undefined };
}
