/** Names with one of these in them are taken for secrets. */
const SENSITIVE = ['TOKEN', 'SECRET', 'PASSWORD', 'PASSWD', 'CRED', 'KEY', 'AUTH', 'BEARER', 'PRIVATE', 'CERT'];

/** The variables that `/v1/metadata` tells: those with the prefix, without what looks like a secret. */
export function metadataOf(env: NodeJS.ProcessEnv, prefix: string): { [name: string]: string } {
  const told = Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined && entry[0].startsWith(prefix)
    && !SENSITIVE.some(word => entry[0].toUpperCase().includes(word)));
  return Object.fromEntries(told.sort(([a], [b]) => a < b ? -1 : 1));
}
