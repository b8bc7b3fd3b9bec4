import { isIPv4, isIPv6 } from 'node:net';

/**
 * The address of a Pod to use: the first IPv4 address, else the first IPv6 address in its canonical form. An IPv4 address mapped
 * into IPv6 counts as IPv4; other text is skipped.
 */
export function selectPodAddress(addresses: readonly unknown[] | undefined): string | undefined {
  let found: string | undefined;
  for (const entry of addresses ?? []) {
    const value = typeof entry === 'string' ? entry : (entry as { ip?: unknown } | null)?.ip;
    const text = typeof value === 'string' ? value.trim() : '';
    if (isIPv4(text)) {
      return text;
    }
    // Zones (`fe80::1%eth0`) are local to a machine, and URLs cannot contain them.
    if (isIPv6(text) && !text.includes('%')) {
      const canonical = new URL(`http://[${text}]`).hostname.slice(1, -1);
      const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(canonical);
      if (mapped) {
        const [high, low] = [parseInt(mapped[1], 16), parseInt(mapped[2], 16)];
        return [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.');
      }
      found ??= canonical;
    }
  }
  return found;
}

/** A host as URLs have it: IPv6 addresses in brackets. */
export function urlHost(host: string): string {
  return isIPv6(host) ? `[${host}]` : host;
}
