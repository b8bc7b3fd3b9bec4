/** The Sandbox that a request is for. */
export interface SandboxRef {
  readonly namespace: string;
  readonly name: string;
  /** Undefined while the router does not know a Sandbox of that name. */
  readonly uid: string | undefined;
}

/** A use of a Sandbox: sending requests to it, or resuming it. */
export type Action = 'connect' | 'resume';

/** A user as the API server knows one. */
export interface User {
  readonly username: string;
  readonly uid?: string;
  readonly groups?: readonly string[];
  readonly extra?: { readonly [key: string]: readonly string[] };
}

/** The owner of a token that was found valid. */
export interface Caller {
  /** Key of the caller's limits and cached decisions; unique per caller, and reveals nothing of the token. */
  readonly key: string;
  /** For the access log: the name of a user, or what kind of token it was. */
  readonly name: string;
  /** Who this is to the API server. @default - the token is not one of the API server */
  readonly user?: User;
  /** When the token ends, in milliseconds since 1970. @default - it says nothing about that */
  readonly expiresAt?: number;
  /** Whether the caller may do it. Throws `Refusal` if that cannot be found out. */
  may(action: Action, sandbox: SandboxRef): boolean | Promise<boolean>;
}

/** One authentication method. */
export interface Authenticator {
  /** Whether the method handles tokens of this form. */
  accepts(token: string): boolean;
  /**
   * The caller, or undefined for a worthless token. Throws `Refusal` if that cannot be found out.
   *
   * @param client address of the client, for the limit of worthless tokens
   */
  authenticate(token: string, client: string): Caller | undefined | Promise<Caller | undefined>;
}
