import { parseArgs } from 'node:util';

type Flags = { readonly [name: string]: string | undefined };

/**
 * The program of a benchmark that takes `--rounds N`: runs it and ends the process, with 2 and the usage for another command line.
 *
 * @param standard rounds without the flag
 * @param further names of further flags with a text, which `run` gets
 */
export function benchmark(
  usage: string, standard: number, run: (rounds: number, flags: Flags) => Promise<void> | void, further: readonly string[] = [],
): void {
  const text = { type: 'string' } as const;
  const { values: { rounds = String(standard), help, ...flags } } = parseArgs({
    options: { ...Object.fromEntries(further.map(name => [name, text])), rounds: text, help: { type: 'boolean', short: 'h' } },
  }) as { values: { rounds?: string; help?: boolean; [name: string]: string | boolean | undefined } };
  if (help || !/^[1-9]\d{0,3}$/.test(rounds)) {
    console.error(usage);
    process.exit(help ? 0 : 2);
  }
  Promise.resolve(run(Number(rounds), flags as Flags)).then(() => process.exit(0), (error: unknown) => {
    console.error(error);
    process.exit(1);
  });
}
