import type { Problems } from '../checks';

/** Flags that are not for `extraArgs`, and the paths of the props that set them: none for those that are always there. @internal */
export type TakenFlags = ReadonlyMap<string, readonly string[]>;

/**
 * Checks that further arguments repeat no flag that a prop is for or that is on the command line anyway: the program would
 * take the later one, and what else the prop does (Services, Secrets, roles, checks) would not fit it.
 *
 * @param problems where to note them
 * @param args the arguments
 * @param taken the flags
 * @internal
 */
export function checkExtraArgs(problems: Problems, args: readonly string[] | undefined, taken: TakenFlags): void {
  const before = new Set<string>();
  (args ?? []).forEach((arg, index) => {
    const name = flagOf(arg);
    if (name === undefined) {
      return;
    }
    const props = taken.get(name);
    if (props) {
      problems.add(`extraArgs[${index}]`, arg, props.length === 0 ? 'it is on the command line already: leave it out' : `use the prop ${props.join(' or ')}`);
    } else if (before.has(name)) {
      problems.add(`extraArgs[${index}]`, arg, 'the flag is in the list already: remove one');
    }
    before.add(name);
  });
}

/** The name of the flag that an argument begins: of `--x`, `--x=1`, `-x`; undefined for a value. */
function flagOf(arg: string): string | undefined {
  return /^\s*--?([^-=\s][^=\s]*)/.exec(arg)?.[1];
}
