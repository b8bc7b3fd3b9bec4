import { createHash } from 'node:crypto';
import { EncryptJWT, errors, jwtDecrypt, type JWTPayload } from 'jose';

/** What a sealed text is for; one cannot be used as another. */
export type Purpose = 'session' | 'login' | 'flow' | 'ticket';

/**
 * Seals small objects, so that browsers can keep them and can neither read nor change them: JSON Web Encryption, A256GCM with a
 * key that is derived from the first of the given ones.
 */
export class Seal {
  /** @param keys the first seals, all open; read anew each time */
  constructor(private readonly keys: () => readonly Buffer[]) {}

  /** @param expiresAt milliseconds since 1970; rounded down to a second */
  public async close(purpose: Purpose, content: object, expiresAt: number): Promise<string> {
    return new EncryptJWT(content as JWTPayload)
      .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
      .setAudience(purpose)
      .setExpirationTime(Math.floor(expiresAt / 1000))
      .encrypt(derived(this.keys()[0]!));
  }

  /** What was sealed, and when it ends in milliseconds since 1970; undefined if it is not ours, for something else, or has expired. */
  public async open<T>(purpose: Purpose, text: string): Promise<(T & { readonly expiresAt: number }) | undefined> {
    for (const key of this.keys()) {
      try {
        const { payload } = await jwtDecrypt(text, derived(key), {
          audience: purpose, keyManagementAlgorithms: ['dir'], contentEncryptionAlgorithms: ['A256GCM'], requiredClaims: ['exp'],
        });
        return { ...payload as unknown as T, expiresAt: payload.exp! * 1000 };
      } catch (error) {
        if (!(error instanceof errors.JOSEError)) {
          throw error;
        }
      }
    }
    return undefined;
  }
}

/** A key of its own, in case the same file is used elsewhere. */
function derived(key: Buffer): Uint8Array {
  return createHash('sha256').update('agent-sandbox/browser-session/v1\0').update(key).digest();
}
