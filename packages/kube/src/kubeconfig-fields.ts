/** The fields of a cluster, user or context of a kubeconfig. */
export type Fields = Record<string, any>;

/** The value of the header `Authorization` for `name:password`. */
export function basicAuthorization(nameAndPassword: string): string {
  return `Basic ${Buffer.from(nameAndPassword).toString('base64')}`;
}

/** Headers of a user who acts as another one, lower-case names. */
export function impersonation(user: Fields): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {};
  if (user.as) {
    headers['impersonate-user'] = user.as;
  }
  if (user['as-uid']) {
    headers['impersonate-uid'] = user['as-uid'];
  }
  if (user['as-groups']?.length) {
    headers['impersonate-group'] = user['as-groups'];
  }
  for (const [name, values] of Object.entries<string[]>(user['as-user-extra'] ?? {})) {
    headers[`impersonate-extra-${encodeURIComponent(name).toLowerCase()}`] = values;
  }
  return headers;
}
