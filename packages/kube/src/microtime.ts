/** RFC 3339 with microseconds, as Kubernetes' MicroTime wants it; ours are only milliseconds. */
export function microTime(epochMs: number): string {
  return new Date(epochMs).toISOString().replace('Z', '000Z');
}
