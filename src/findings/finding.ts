/** How bad a finding is. */
export enum FindingSeverity {
  /** The API server or the controller will refuse it, or it will not do what it says. Synthesis fails. */
  ERROR = 'error',

  /** It can be meant, and seldom is. */
  WARNING = 'warning',
}

/** Something that is wrong between objects, or in one of them. */
export interface Finding {
  /** Id of the rule, which stays the same from release to release: `duplicate-name`. */
  readonly rule: string;

  /** How bad it is. */
  readonly severity: FindingSeverity;

  /** Where the object comes from: the path of its construct, or file and line. */
  readonly place: string;

  /** The object: `SandboxClaim agents/ticket-42`. */
  readonly object: string;

  /** The field, with its value where that helps: `spec.replicas is 0`. */
  readonly field: string;

  /** What is wrong. */
  readonly message: string;

  /** What to do. */
  readonly remedy: string;
}

/**
 * A finding as one line: place, field, message, remedy, rule.
 *
 * @internal
 */
export function findingLine({ rule, place, field, message, remedy }: Finding): string {
  return `${place}: ${field}: ${message}: ${remedy} [${rule}]`;
}
