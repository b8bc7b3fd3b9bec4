const UNITS_MS: { readonly [unit: string]: number } = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/**
 * Milliseconds of a duration as Go programs write it: `5m`, `1h30m`, `250ms`, `1.5s`, `0`. `undefined` for anything else.
 */
export function parseDuration(text: string): number | undefined {
  const match = /^([+-]?)((?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|ms|s|m|h))+$/.exec(text);
  if (match === null) {
    return /^[+-]?0$/.test(text) ? 0 : undefined;
  }
  const sum = [...text.matchAll(/([\d.]+)(ns|us|µs|ms|s|m|h)/g)].reduce((total, [, number, unit]) => total + Number(number) * UNITS_MS[unit!]!, 0);
  return match[1] === '-' ? -sum : sum;
}

/** Milliseconds as Go programs write them: `5m0s`, `1h0m0s`, `1.5s`, `250ms`. */
export function formatDuration(ms: number): string {
  if (ms !== 0 && Math.abs(ms) < 1000) {
    return `${ms}ms`;
  }
  const seconds = Math.abs(ms) / 1000;
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60)];
  const parts = [...(hours > 0 ? [`${hours}h`] : []), ...(minutes > 0 ? [`${minutes % 60}m`] : []), `${Number((seconds % 60).toFixed(3))}s`];
  return `${ms < 0 ? '-' : ''}${parts.join('')}`;
}
