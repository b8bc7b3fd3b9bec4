import { setFlagsFromString } from 'node:v8';

/** The first major version of V8 that counts calls, where earlier ones count bytes of code. */
const COUNTS_CALLS = 12;
/** About twice what is usual: with more, a controller that is busy all the time would need more processor time than it saves at rest. */
const BYTES = 300_000;
/** Ten times what is usual. */
const CALLS = 30_000;

/**
 * Has V8 compile only what is called very often. A controller with a few claims per second calls thousands of functions, each of them
 * rarely: the optimizing compiler took a third of the processor time, on threads beside the one that works, and gave little back.
 */
export function optimizeRarely(v8: string = process.versions.v8): string {
  const flag = parseInt(v8, 10) < COUNTS_CALLS ? `--interrupt-budget=${BYTES}` : `--invocation-count-for-turbofan=${CALLS}`;
  setFlagsFromString(flag);
  return flag;
}
