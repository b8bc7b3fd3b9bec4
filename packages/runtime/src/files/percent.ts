const ENCODED = /(?:%[0-9a-fA-F]{2})+/g;

/**
 * Percent-decodes a path once. Leaves alone what is not an encoding; bytes that are not UTF-8 become U+FFFD. (Node's own
 * functions throw in both cases.)
 */
export function percentDecode(text: string): string {
  return text.replace(ENCODED, match => Buffer.from(match.replaceAll('%', ''), 'hex').toString('utf8'));
}
