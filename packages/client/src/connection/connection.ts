import type { Cluster } from 'agent-sandbox-kube';
import type { Dispatcher } from 'undici';

/** The sandbox that a request is for. */
export interface Target {
  /** `namespace/name` of the claim, for errors. */
  readonly claim: string;
  readonly namespace: string;
  /** Name of the Sandbox object, which need not be that of the claim. */
  readonly name: string;
  /** UID of the Sandbox object; read from the API once. */
  uid(signal: AbortSignal): Promise<string>;
  /** Address of the Pod as last seen; read from the API when it is not known. Undefined when there is none, or it may not be read. */
  address(signal: AbortSignal): Promise<string | undefined>;
  /** Whether the API server says now that this is an address of the sandbox's running Pod. */
  isAt(address: string, signal: AbortSignal): Promise<boolean>;
}

/** A way to the runtime in a sandbox. */
export interface Route {
  /** Scheme, host and port. */
  readonly origin: string;
  /** Path in front of all paths; empty, or with a leading and no trailing slash. */
  readonly prefix: string;
  readonly dispatcher: Dispatcher;
  /** Whether requests pass a router, which needs the headers that name the Sandbox and the caller's token. */
  readonly viaRouter: boolean;
  /** Whether the connection cannot be read by third parties: TLS, the tunnel, or loopback. */
  readonly isPrivate: boolean;
  /** Whether requests must name the host of `origin`, because something in front of the router tells its hosts apart. @default false */
  readonly needsOwnHost?: boolean;
}

/** Finds ways to sandboxes. One serves all sandboxes of a client. */
export interface Connection {
  /** Throws an error of this package when there is no way, or the reason of the signal. */
  route(target: Target, signal: AbortSignal): Promise<Route>;
  /** Begins, and does not wait for, what the first request to a sandbox of this namespace would wait for. Its failures show there. */
  prepare?(namespace: string): void;
  /** A request over the last route got no answer or a 5xx: what was remembered about it may be old. */
  forget(): void;
  /** Closes all connections; requests under way fail. */
  close(): Promise<void>;
}

/** How a client reaches its sandboxes: see `SandboxConnection`. */
export interface ConnectionPlan {
  /** For messages: `tunnel`, `gateway`, `direct`, `in-cluster`. */
  readonly mode: string;
  /** Begins without any request; the first route makes the first. */
  open(cluster: () => Cluster): Connection;
}

/** How TLS servers are checked and clients identify themselves. PEM texts. */
export interface TlsOptions {
  /** @default - the authorities that Node trusts */
  readonly ca?: string;
  /** Certificate of the client. @default - none */
  readonly cert?: string;
  /** @default - none */
  readonly key?: string;
  /** Name that the server's certificate must have. @default - the host of the address */
  readonly servername?: string;
}

/** Milliseconds in which a TCP or TLS connection must come about. */
export const CONNECT_TIMEOUT_MS = 10_000;

/** Whether what is sent to an origin stays unread: it is TLS, or this machine. */
export function isPrivateOrigin(origin: string): boolean {
  const { protocol, hostname } = new URL(origin);
  return protocol === 'https:' || hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d+){3}$/.test(hostname);
}
