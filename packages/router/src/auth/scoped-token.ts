import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Action, Authenticator, Caller, SandboxRef } from './caller.js';

/** What a scoped token says. */
export interface ScopedClaims {
  readonly namespace: string;
  readonly name: string;
  /** UID of the Sandbox; undefined in tokens of version 1, which open any Sandbox of that name. */
  readonly uid?: string;
  /** Seconds since 1970; from then on the token is worthless. */
  readonly exp: number;
}

/** Fewest bytes of a key: as many as HMAC-SHA256 gives out. */
export const MIN_KEY_BYTES = 32;

/** A key as it is in a file: without surrounding white space. Throws if it is too short. */
export function readKey(content: string, where: string): Buffer {
  const key = Buffer.from(content.trim());
  if (key.length < MIN_KEY_BYTES) {
    throw new Error(`the key in "${where}" has ${key.length} bytes: write at least ${MIN_KEY_BYTES}, for example with "openssl rand -hex 32"`);
  }
  return key;
}

/**
 * Makes a token of version 2 for one Sandbox: `v2.`, the claims as JSON in base64url, and an HMAC-SHA256 over
 * `agent-sandbox/scoped-token/v2.` and these. Throws for empty names and for a time that is not a positive whole number.
 */
export function mintScopedToken(key: Buffer, { namespace, name, uid, exp }: Required<ScopedClaims>): string {
  if (!namespace || !name || !uid) {
    throw new Error('a scoped token needs the namespace, the name and the UID of a Sandbox');
  }
  if (!Number.isSafeInteger(exp) || exp <= 0) {
    throw new Error(`the expiry ${exp} is not a number of seconds since 1970`);
  }
  const payload = Buffer.from(JSON.stringify({ ns: namespace, name, uid, exp })).toString('base64url');
  return `v2.${payload}.${signature(key, 'v2', payload).toString('base64url')}`;
}

/** Whether a token has the form of a scoped one, of whatever version. */
export function isScoped(token: string): boolean {
  return /^v[0-9]+\./.test(token);
}

/** Claims of a token that one of the keys has signed and that has not expired; undefined for any other. */
export function verifyScopedToken(keys: readonly Buffer[], token: string, nowMs: number, allowV1 = false): ScopedClaims | undefined {
  const [version, payload, given, ...rest] = token.split('.');
  if (!payload || !given || rest.length > 0 || !(version === 'v2' || (version === 'v1' && allowV1))) {
    return undefined;
  }
  const mac = Buffer.from(given, 'base64url');
  // Every key is tried, so that timing does not reveal the matching key.
  const fits = keys.map(key => {
    const expected = signature(key, version, payload);
    return mac.length === expected.length && timingSafeEqual(mac, expected);
  });
  if (!fits.includes(true) || mac.toString('base64url') !== given) {
    return undefined;
  }
  const claims = readClaims(payload, version === 'v2');
  return claims !== undefined && nowMs < claims.exp * 1000 ? claims : undefined;
}

/** Tokens that were minted for one Sandbox each. */
export class ScopedTokens implements Authenticator {
  constructor(private readonly keys: () => readonly Buffer[], private readonly allowV1: boolean, private readonly now: () => number = Date.now) {}

  public accepts(token: string): boolean {
    return isScoped(token);
  }

  public authenticate(token: string): Caller | undefined {
    const claims = verifyScopedToken(this.keys(), token, this.now(), this.allowV1);
    return claims && {
      key: `scoped:${claims.namespace}/${claims.name}/${claims.uid ?? ''}`,
      name: 'scoped-token',
      expiresAt: claims.exp * 1000,
      // Such a token has no identity in the API server, so it allows nothing but connecting. A Sandbox without a known UID
      // has no target, so the request fails in any case.
      may: (action: Action, { namespace, name, uid }: SandboxRef) => action === 'connect' && namespace === claims.namespace && name === claims.name
        && (claims.uid === undefined || uid === undefined || claims.uid === uid),
    };
  }
}

function signature(key: Buffer, version: string, payload: string): Buffer {
  return createHmac('sha256', key).update(`agent-sandbox/scoped-token/${version}.${payload}`).digest();
}

function readClaims(payload: string, needsUid: boolean): ScopedClaims | undefined {
  try {
    const { ns, name, uid, exp } = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>;
    const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';
    if (!isText(ns) || !isText(name) || !Number.isSafeInteger(exp) || (needsUid && !isText(uid))) {
      return undefined;
    }
    return { namespace: ns, name, exp: exp as number, ...(needsUid ? { uid: uid as string } : {}) };
  } catch {
    return undefined;
  }
}
