/** The part of autocannon that the benchmark uses. */
declare module 'autocannon' {
  interface Options {
    readonly url: string;
    readonly connections: number;
    /** Seconds. */
    readonly duration: number;
    readonly method?: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: Buffer;
    /** Requests per second of all connections together. */
    readonly overallRate?: number;
    /** Seconds that a request may take. */
    readonly timeout?: number;
  }

  interface Result {
    readonly requests: { readonly average: number; readonly total: number };
    readonly throughput: { readonly average: number };
    /** Milliseconds. */
    readonly latency: { readonly p50: number; readonly p99: number; readonly max: number };
    readonly errors: number;
    readonly non2xx: number;
  }

  function autocannon(options: Options): Promise<Result>;
  export = autocannon;
}
