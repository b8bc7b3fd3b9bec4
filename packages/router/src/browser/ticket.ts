import type { User } from '../auth/caller.js';

/** What the OIDC login hands to the sandbox's address, for one browser and a short time. */
export interface Ticket {
  readonly scope: string;
  readonly user: User;
  /** Milliseconds since 1970 at which the session ends. */
  readonly until: number;
  /** Of the browser that began to sign in; see `nonceHash`. */
  readonly nonce: string;
}
