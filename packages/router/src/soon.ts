/** What follows from a value: at once if it is there, else later. An `await` would cost every request a turn for answers that are remembered. */
export function after<T, R>(value: T | Promise<T>, next: (value: T) => R | Promise<R>): R | Promise<R> {
  return value instanceof Promise ? value.then(next) : next(value);
}
