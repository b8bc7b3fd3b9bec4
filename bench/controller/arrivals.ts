/** Arrivals come from this, so that every controller sees the same ones. */
const SEED = 20_260_101;

/** Milliseconds at which the arrivals of a Poisson process are due. */
export function poisson(perSecond: number, seconds: number): number[] {
  const random = mulberry32(SEED);
  const arrivals: number[] = [];
  for (let at = 0; ;) {
    at += -Math.log(1 - random()) / perSecond * 1000;
    if (at >= seconds * 1000) {
      return arrivals;
    }
    arrivals.push(at);
  }
}

/** Numbers from 0 to 1 that are the same for the same seed. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), state | 1);
    value = (value + Math.imul(value ^ (value >>> 7), value | 61)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
}
