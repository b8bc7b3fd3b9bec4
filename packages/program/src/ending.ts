/** Milliseconds after which a process ends even though something is still open. */
const LINGER_MS = 1_000;

/** A signal that is aborted by the first SIGTERM or SIGINT. The second one ends the process at once. */
export function stopSignal(): AbortSignal {
  const stop = new AbortController();
  onStop(signal => stop.abort(new Error(`got ${signal}`)));
  return stop.signal;
}

/** Calls back on the first SIGTERM or SIGINT. The second one ends the process at once. */
export function onStop(callback: (signal: NodeJS.Signals) => void): void {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => callback(signal));
  }
}

/** Ends the process after a second at the latest: an open connection must not keep alive a process that has finished its work. */
export function exitSoon(): void {
  setTimeout(() => process.exit(), LINGER_MS).unref();
}

/** Resolves when the signal is aborted. */
export function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => (signal.aborted ? resolve() : signal.addEventListener('abort', () => resolve(), { once: true })));
}
