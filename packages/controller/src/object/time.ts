/** Time on the wire: RFC 3339 in UTC with whole seconds, as Kubernetes writes it. */
export function timestamp(now: number): string {
  return new Date(Math.floor(now / 1000) * 1000).toISOString().replace('.000Z', 'Z');
}

/** Why a time that was stored before the API refused such times can never come; `undefined`: it can. */
export function unreadableTime(field: string, time: string | undefined): string | undefined {
  return time === undefined || parseTime(time) !== undefined
    ? undefined
    : `${field} "${time}" is not a time that can be read: write it as 2027-01-31T17:00:00Z`;
}

/** Milliseconds of a time on the wire; `undefined` for a missing or malformed one. */
export function parseTime(time: string | undefined): number | undefined {
  const parsed = time === undefined ? NaN : Date.parse(time);
  return Number.isNaN(parsed) ? undefined : parsed;
}
