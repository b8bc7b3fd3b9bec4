import { readFileSync } from 'node:fs';
import { DEFAULT_LABEL_DOMAINS } from 'agent-sandbox-api';
import { parseLabelDomains } from './pod-metadata.js';

/** The file that lists the domains under which claims may add labels cannot be used; the message says why. */
class LabelDomainsError extends Error {
  constructor(file: string, why: string) {
    super(`cannot use the allowed label domains of ${file}: ${why}`);
    this.name = 'LabelDomainsError';
  }
}

const DOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/** The domains that a file lists; the default ones where there is no file, or nothing in it. Throws `LabelDomainsError`. */
export function readLabelDomains(file: string): readonly string[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      return DEFAULT_LABEL_DOMAINS;
    }
    throw new LabelDomainsError(file, `${(error as Error).message}: make it readable, or remove it for the default ${DEFAULT_LABEL_DOMAINS.join(', ')}`);
  }
  const domains = parseLabelDomains(text) ?? DEFAULT_LABEL_DOMAINS;
  const malformed = domains.find(domain => !DOMAIN.test(domain));
  if (malformed !== undefined) {
    throw new LabelDomainsError(file, `"${malformed}" is not a domain: list domains such as example.com, separated by commas or line breaks`);
  }
  return domains;
}
