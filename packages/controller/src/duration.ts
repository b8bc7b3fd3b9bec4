export { parseDuration } from 'agent-sandbox-kube';

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
