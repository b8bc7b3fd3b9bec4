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

/** Findings of one shape that a text shows one by one. */
const SHOWN = 5;

/** A finding as a text shows it, and how many more of its shape the text leaves out after it. @internal */
export interface ShownFinding {
  readonly finding: Finding;
  readonly more: number;
}

/**
 * The findings that a text for people shows: of one mistake in many objects the first few. Programs get all of them.
 *
 * @internal
 */
export function shownFindings(findings: readonly Finding[]): ShownFinding[] {
  const counts = new Map<string, number>();
  const shapes = findings.map(shapeOf);
  shapes.forEach(shape => counts.set(shape, (counts.get(shape) ?? 0) + 1));
  const seen = new Map<string, number>();
  return findings.flatMap((finding, index) => {
    const shape = shapes[index];
    const position = (seen.get(shape) ?? 0) + 1;
    seen.set(shape, position);
    return position > SHOWN ? [] : [{ finding, more: position === SHOWN ? counts.get(shape)! - SHOWN : 0 }];
  });
}

/** What findings of one mistake have in common: the rule, and the words without values, paths and numbers. */
function shapeOf({ rule, severity, field, message, remedy }: Finding): string {
  const place = field.replace(/ is .*$/s, '').replace(/\[\d+\]|'[^']*'/g, '…');
  return [rule, severity, place, ...[message, remedy].map(text => text.replace(/'[^']*'|\S*[\d/]\S*/g, '…'))].join('\n');
}
