/** A program in Python: jsii-rosetta's, with one import for each package. */
export function completePython(source: string): string {
  const imports = new Map<string, Set<string>>();
  const plain: string[] = [];
  const rest: string[] = [];
  for (const line of source.split('\n')) {
    const [, from, names] = /^from (\S+) import (.+)$/.exec(line) ?? [];
    if (from) {
      // A type whose import jsii-rosetta takes for a submodule of its name.
      const module = from.replace(/\.[A-Z]\w*$/, '');
      imports.set(module, new Set([...imports.get(module) ?? [], ...names.split(', ')]));
    } else {
      (/^import \S+/.test(line) ? plain : rest).push(line);
    }
  }
  const lines = [...imports].sort(([a], [b]) => (a < b ? -1 : 1)).map(([module, names]) => {
    const sorted = [...names].sort();
    const line = `from ${module} import ${sorted.join(', ')}`;
    return line.length <= 100 ? line : `from ${module} import (\n${sorted.map(name => `    ${name},\n`).join('')})`;
  });
  return [...plain, ...lines, '', rest.join('\n').trim()].join('\n');
}
