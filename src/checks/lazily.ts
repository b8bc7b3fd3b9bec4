/**
 * A value that is made when it is asked for the first time: what takes time and few programs need, such as sets of addresses, does not delay
 * the load of the library.
 *
 * @internal
 */
export function lazily<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
