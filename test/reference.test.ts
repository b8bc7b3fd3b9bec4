import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { finished, tabled, typesOf } from '../scripts/reference';

const ROOT = join(__dirname, '..');
const [API, L1] = ['API.md', 'docs/L1.md'].map(file => readFileSync(join(ROOT, file), 'utf8'));

const idsOf = (text: string) => new Set([...text.matchAll(/<a id="([^"]+)">/g)].map(([, id]) => id));
const targetsOf = (text: string, pattern: RegExp) => [...new Set([...text.matchAll(pattern)].map(([, target]) => target))];

describe.each([['API.md', API, L1, 'docs/L1.md'], ['docs/L1.md', L1, API, '../API.md']])('%s', (_file, text, otherText, other) => {
  test('begins with an index of all types', () => {
    const index = text.slice(0, text.indexOf('\n## '));
    expect(targetsOf(index, /\]\(#([^)]+)\)/g)).toEqual([...typesOf(text)]);
  });

  test('has no link to a place that is not there', () => {
    const targets = targetsOf(text, /(?:\]\(|href=")#([^)"]+)/g).filter(target => !target.includes('://'));
    expect(targets.filter(target => !idsOf(text).has(target))).toEqual([]);
    const elsewhere = targetsOf(text, new RegExp(`href="${other.replace(/[./]/g, '\\$&')}#([^"]+)"`, 'g'));
    expect(elsewhere.filter(target => !idsOf(otherText).has(target))).toEqual([]);
  });
});

test('every type of the L1 constructs that a prop has is a link', () => {
  const types = API.split('\n').filter(line => /^\| .*<code>|^- \*Type:\*/.test(line)).filter(line => line.includes('cdk8s-agent-sandbox.l1.'));
  expect(types.length).toBeGreaterThan(50);
  expect(types.filter(line => !line.includes('href="docs/L1.md#cdk8s-agent-sandbox.l1.'))).toEqual([]);
});

test('a type that is in neither document stays as it is', () => {
  const raw = '# API\n\n## Structs <a name="Structs" id="Structs"></a>\n\n### A <a name="A" id="cdk8s-agent-sandbox.A"></a>\n\n- *Type:* cdk8s-agent-sandbox.l1.B[]\n- *Type:* cdk8s-agent-sandbox.l1.C\n';
  const text = finished(raw, new Set(['cdk8s-agent-sandbox.l1.B']), 'docs/L1.md');
  expect(text).toContain('- *Type:* <a href="docs/L1.md#cdk8s-agent-sandbox.l1.B">l1.B</a>[]\n- *Type:* cdk8s-agent-sandbox.l1.C\n');
});

test('a property of L1 has one row, with its whole description and its default', () => {
  const section = (name: string, more: string) => `##### \`${name}\`<sup>${name === 'a' ? 'Required' : 'Optional'}</sup> <a id="X.${name}"></a>\n\n${more}\n\n---\n\n`;
  const text = `#### Properties <a id="Properties"></a>\n\n| **Name** |\n| --- |\n| [\`a\`](#X.a) | <code>string</code> | First. |\n| [\`b\`](#X.b) | <code>number</code> | B. |\n\n---\n\n${
    section('a', '- *Type:* string\n\nFirst.\n\nSecond, a|b.')}${section('b', '- *Type:* number\n- *Default:* 1\n\nB.')}### Next\n`;
  const expected = '#### Properties <a id="Properties"></a>\n\n| **Name** |\n| --- |\n| <a id="X.a"></a>`a` (required) | <code>string</code> | First. Second, a\\|b. |\n| <a id="X.b"></a>`b` | <code>number</code> | B. *Default:* 1 |\n\n### Next\n';
  expect(tabled(text)).toBe(expected);
  expect(tabled(expected)).toBe(expected);
});
