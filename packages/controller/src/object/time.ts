/** Time on the wire: RFC 3339 in UTC with whole seconds, as Kubernetes writes it. */
export function timestamp(now: number): string {
  return new Date(Math.floor(now / 1000) * 1000).toISOString().replace('.000Z', 'Z');
}

/** Milliseconds of a time on the wire; `undefined` for a missing or malformed one. */
export function parseTime(time: string | undefined): number | undefined {
  const parsed = time === undefined ? NaN : Date.parse(time);
  return Number.isNaN(parsed) ? undefined : parsed;
}
