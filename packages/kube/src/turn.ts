/** Milliseconds of work after which sockets and timers get their turn. */
const LONGEST_TURN_MS = 5;

/** When work began in this turn of the event loop. */
let began: number | undefined;

/**
 * To be awaited between pieces of work that do not wait for anything themselves: promises alone keep Node from its sockets, so that
 * a request which was made first would be sent last. Lets them have their turn every few milliseconds, and costs nothing otherwise.
 */
export function breathe(): Promise<void> | undefined {
  if (began === undefined) {
    began = performance.now();
    setImmediate(() => (began = undefined));
    return undefined;
  }
  return performance.now() - began < LONGEST_TURN_MS ? undefined : new Promise(resolve => setImmediate(resolve));
}
