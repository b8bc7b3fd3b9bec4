import type { FlagRule } from './rules';

/** One flag of a program: everything that is known about it. Helm chart, construct, `--help` and docs are written from it. */
export interface Flag extends FlagRule {
  /** Name on the command line, without dashes. */
  readonly name: string;
  /** What it does, in sentences. A value that means something else, such as 0 for no limit, is mentioned here; bounds and default are not. */
  readonly words: string;
  /** Value without the flag; milliseconds for a duration, seconds for `seconds`. */
  readonly default?: boolean | number | string | readonly string[];
  /** What happens without the flag, where there is no `default`. */
  readonly otherwise?: string;
  /** What a number counts. */
  readonly unit?: string;
  /** What kind of text the value is, for `--help`. Default: the type. */
  readonly value?: string;
  /** Name of the value in the program. Default: the name of the flag in camel case. */
  readonly key?: string;
  /** Variable of the environment that counts where the flag is not given. */
  readonly env?: FlagVariable;
  /** What the original calls it: the controller, router or sandboxd of kubernetes-sigs/agent-sandbox. Absent: the original has no such flag. */
  readonly original?: string;
  /** The release of the original that has it. Default: v0.5.6 and later. */
  readonly since?: 'v1.0.12';
  /** What can change without a restart. Default: nothing, the flag is read at the start. */
  readonly reload?: 'content of the file';
  /** Why a flag of the original is accepted without effect. Such a flag is in no help and has no prop. */
  readonly ignored?: string;
  /** How the construct and the Helm chart set it. Absent: they fix it themselves, or it is for `extraArgs`. */
  readonly prop?: FlagProp;
}

/** A variable of the environment that stands for a flag. A blank one does not count. */
export interface FlagVariable {
  readonly name: string;
  /** Unit of its value, where it is a bare number. */
  readonly unit?: 's';
  /** Whether the program reads it by rules of its own, which say what happens with a bad value. Default: it follows the rules of the flag. */
  readonly apart?: boolean;
}

/** The prop of the construct and the value of the Helm chart for a flag. */
export interface FlagProp {
  /** Name of the prop, and of the value in `controller` or `router`. */
  readonly name: string;
  /** Default of the construct, which is always on the command line. Default: the flag is left out. */
  readonly default?: boolean | number;
}

/** A program and its flags. */
export interface Program {
  /** Name of the executable. */
  readonly name: string;
  readonly words: string;
  /** In the order of `--help` and of the command line that the construct writes. */
  readonly flags: readonly Flag[];
}
