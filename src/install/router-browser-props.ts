import type { Duration } from 'cdk8s';
import type { ISecret } from '../objects';

/** People who sign in at an OpenID Connect provider to open sandboxes in a browser. */
export interface RouterOidcProps {
  /** URL of the provider. Its port must be 443, or one of `apiServerPorts`. */
  readonly issuerUrl: string;

  /** ID of the router at the provider. */
  readonly clientId: string;

  /** Secret whose key `client-secret` is the router's at the provider. */
  readonly clientSecret: ISecret;

  /**
   * Address that the provider sends browsers back to: a host of the router that is no sandbox's, and a path.
   *
   * @default - `https://login.<domain>/oidc/callback`, which a certificate for `*.<domain>` covers
   */
  readonly redirectUrl?: string;

  /**
   * Scopes that the router asks for.
   *
   * @default - 'openid'
   */
  readonly scopes?: string[];

  /**
   * Claim with the user name.
   *
   * @default - 'sub'
   */
  readonly usernameClaim?: string;

  /**
   * Text before user names, as the API server has it for the same provider.
   *
   * @default - the issuer and '#', or nothing with the claim 'email'
   */
  readonly usernamePrefix?: string;

  /**
   * Claim with the groups.
   *
   * @default - 'groups'
   */
  readonly groupsClaim?: string;

  /**
   * Text before groups, as the API server has it for the same provider.
   *
   * @default - none
   */
  readonly groupsPrefix?: string;
}

/** Addresses under which browsers reach sandboxes through the router, and their sessions. */
export interface RouterBrowserProps {
  /**
   * Domain under which each sandbox has a host of its own: `<name>--<namespace>--<port>.<domain>`. A wildcard in the DNS
   * leads `*.<domain>` to the router, and a certificate covers it.
   *
   * @default - none: paths only
   */
  readonly domain?: string;

  /**
   * Beginning of paths that name a sandbox: `<pathPrefix>/<namespace>/<name>/<port>/`. All sandboxes then share an origin,
   * so that the pages of one can use the others that a browser has opened: prefer `domain`.
   *
   * @default - none
   */
  readonly pathPrefix?: string;

  /**
   * The same for programs that know their base path: they get the path as it is.
   *
   * @default - none
   */
  readonly unstrippedPathPrefix?: string;

  /**
   * Secret with the keys that seal the sessions of browsers, each of at least 32 bytes.
   *
   * @default - none: sessions end with each Pod, so this is for a single one
   */
  readonly sessionSecret?: ISecret;

  /**
   * Keys of `sessionSecret`: the first seals, all open.
   *
   * @default ['key']
   */
  readonly sessionKeys?: string[];

  /**
   * Longest session. It ends with its token in any case.
   *
   * @default - 12 hours
   */
  readonly sessionLifetime?: Duration;

  /**
   * Origins, such as `https://portal.example.com`, whose pages may use an open sandbox, and sign browsers in by links.
   *
   * @default - none
   */
  readonly allowedOrigins?: string[];

  /**
   * A provider where people sign in.
   *
   * @default - none: sandboxes are opened with a token
   */
  readonly oidc?: RouterOidcProps;
}
