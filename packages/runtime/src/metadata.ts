/** Names with one of these in them are taken for secrets. */
const SENSITIVE = ['TOKEN', 'SECRET', 'PASSWORD', 'PASSWD', 'CRED', 'KEY', 'AUTH', 'BEARER', 'PRIVATE', 'CERT'];

/** The variables that `/v1/metadata` returns: those with the prefix, without names that look like secrets. */
export function metadataOf(env: NodeJS.ProcessEnv, prefix: string): { [name: string]: string } {
  const metadata = Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined && entry[0].startsWith(prefix)
    && !SENSITIVE.some(word => entry[0].toUpperCase().includes(word)));
  return Object.fromEntries(metadata.sort(([a], [b]) => a < b ? -1 : 1));
}
