/** One requirement of a label selector. */
type Requirement = (labels: Readonly<Record<string, string>>) => boolean;

const PART = /^(!?)\s*([A-Za-z0-9_./-]+)\s*(?:(==|=|!=)\s*([^\s,()]*)|\s(in|notin)\s*\(([^)]*)\))?$/;

/**
 * Parses a label selector as the API server understands it: `a=b`, `a==b`, `a!=b`, `a in (b,c)`, `a notin (b,c)`, `a`, `!a`,
 * joined by commas. Returns a predicate of labels. Throws on anything else.
 */
export function parseLabelSelector(selector: string): (labels: Readonly<Record<string, string>> | undefined) => boolean {
  const requirements = split(selector).map(part => parse(part, selector));
  return (labels = {}) => requirements.every(requirement => requirement(labels));
}

/** Splits at the commas outside of parentheses. */
function split(selector: string): string[] {
  return selector.split(/,(?![^(]*\))/).map(part => part.trim()).filter(Boolean);
}

function parse(text: string, selector: string): Requirement {
  const match = PART.exec(text);
  const [, not, key, operator, value, set, members] = match ?? [];
  if (!match || (not && (operator || set))) {
    throw new Error(`label selector "${selector}": "${text}" is none of a=b, a!=b, "a in (b,c)", "a notin (b,c)", a, !a`);
  }
  if (operator) {
    return operator === '!=' ? labels => labels[key] !== value : labels => labels[key] === value;
  }
  if (set) {
    const values = members.split(',').map(member => member.trim());
    return set === 'in' ? labels => Object.hasOwn(labels, key) && values.includes(labels[key]) : labels => !Object.hasOwn(labels, key) || !values.includes(labels[key]);
  }
  return not ? labels => !Object.hasOwn(labels, key) : labels => Object.hasOwn(labels, key);
}
