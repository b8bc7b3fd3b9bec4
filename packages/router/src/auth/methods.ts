import type { Cluster, Logger } from 'agent-sandbox-kube';
import type { Flags } from '../flags.js';
import { RateLimits } from '../limits.js';
import { WatchedFiles } from '../watched-file.js';
import type { AccessReviews } from './access.js';
import type { Authenticator } from './caller.js';
import { Authentication } from './index.js';
import { TokenReviews } from './reviews.js';
import { ScopedTokens, readKey } from './scoped-token.js';
import { StaticToken } from './static-token.js';

/** Worthless tokens that an address may show at once, as a multiple of those per second. */
const FAILURE_BURST_SECONDS = 5;

/** The authentication methods of the flags, with a function that closes their files. Throws if a file is invalid. */
export function authenticationOf(
  flags: Flags, cluster: Cluster, logger: Logger, access: AccessReviews,
): { authentication: Authentication; close: () => void } {
  const failures = new RateLimits(flags.authzFailureRateLimit, Math.max(1, flags.authzFailureRateLimit * FAILURE_BURST_SECONDS));
  const modes = flags.authzMode;
  const methods: Authenticator[] = [];
  const files: { close(): void }[] = [];
  const close = () => files.forEach(file => file.close());
  try {
    if (modes.includes('scoped-token')) {
      const paths = flags.authzScopedTokenSecretFile;
      const keys = new WatchedFiles({ files: paths, read: contents => contents.map((content, i) => readKey(content, paths[i]!)), logger });
      files.push(keys);
      methods.push(new ScopedTokens(() => keys.value, flags.authzScopedTokenAllowV1));
    }
    if (modes.includes('static-token')) {
      const token = staticToken(flags, logger);
      files.push(token);
      methods.push(new StaticToken(() => token.value));
    }
    if (modes.includes('tokenreview')) {
      methods.push(new TokenReviews({
        cluster, logger, failures, access,
        audiences: flags.authzTokenreviewAudiences,
        tokenTtlMs: flags.authzTokenreviewTtl,
        cacheSize: flags.authzTokenreviewCacheSize,
      }));
    }
  } catch (error) {
    close();
    throw error;
  }
  const isOpen = modes.includes('allow-all');
  if (isOpen) {
    logger.warn({}, 'NO AUTHENTICATION: every client that can connect to this router may use every sandbox (--authz-mode=allow-all)');
  }
  return { authentication: new Authentication(isOpen ? undefined : methods, failures, modes.length === 1 && modes[0] === 'static-token'), close };
}

function staticToken({ authzStaticTokenFile: file, staticToken: fixed }: Flags, logger: Logger): { readonly value: string; close(): void } {
  if (file === undefined) {
    return { value: fixed!, close: () => undefined };
  }
  const read = ([content]: readonly string[]) => {
    const token = content!.trim();
    if (token === '' || /\s/.test(token)) {
      throw new Error(`the token in "${file}" is empty or has white space in it: write one word, for example with "openssl rand -hex 32"`);
    }
    return token;
  };
  return new WatchedFiles({ files: [file], read, logger });
}
