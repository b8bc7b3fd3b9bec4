/**
 * Writes docs/reference/scoreboard.md: what scanners that others make say about the presets, each finding with its reason. Fails for a finding without
 * a reason, for a finding of the strict variant, and for a reason without a finding. See --help.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { stringify } from 'yaml';
import { projectionOf, type Variant, VARIANTS } from './scoreboard/presets';
import { type Reason, REASONS } from './scoreboard/reasons';
import { podSecurityFindings } from './scoreboard/pod-security';
import { SCANNERS, type Score } from './scoreboard/scanners';

const USAGE = `usage: npm run scoreboard [-- OPTIONS]

  --checkov FILE     the program checkov (default: that of PATH)
  --kube-score FILE  the program kube-score (default: that of PATH)
  --check            write nothing: say what is wrong
  --help             this text

pip install checkov==${SCANNERS.checkov.version}; go install github.com/zegl/kube-score/cmd/kube-score@${SCANNERS['kube-score'].version};
npm run testbed -- build`;

const DOCUMENT = join(__dirname, '..', 'docs', 'reference', 'scoreboard.md');

interface Row extends Score {
  readonly scanner: string;
  readonly variant: Variant;
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { 'checkov': { type: 'string' }, 'kube-score': { type: 'string' }, 'check': { type: 'boolean' }, 'help': { type: 'boolean', short: 'h' } } });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const folder = mkdtempSync(join(tmpdir(), 'scoreboard-'));
  const rows: Row[] = [];
  try {
    for (const variant of VARIANTS) {
      const file = join(folder, `${variant}.yaml`);
      writeFileSync(file, projectionOf(variant).map(each => stringify(each)).join('---\n'));
      for (const [scanner, { args, read }] of Object.entries(SCANNERS)) {
        const program = values[scanner as keyof typeof SCANNERS] ?? scanner;
        const { error, stdout, stderr } = spawnSync(program, args(file), { encoding: 'utf8', maxBuffer: 2 ** 28 });
        if (error || stdout === '') {
          console.error(`${program}: ${error?.message ?? stderr}\n\n${USAGE}`);
          return 2;
        }
        rows.push({ scanner, variant, ...read(JSON.parse(stdout)) });
      }
      rows.push({ scanner: 'Pod Security', variant, ...await podSecurityFindings(projectionOf(variant)) });
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  const problems = problemsOf(rows);
  problems.forEach(problem => console.error(problem));
  if (problems.length === 0 && !values.check) {
    writeFileSync(DOCUMENT, textOf(rows));
  }
  return problems.length > 0 ? 1 : 0;
}

function problemsOf(rows: readonly Row[]): string[] {
  const found = new Set(rows.filter(({ variant }) => variant === 'presets').flatMap(({ scanner, findings }) => findings.map(({ id }) => `${scanner} ${id}`)));
  return [
    ...rows.flatMap(({ scanner, variant, findings }) => findings.filter(({ id }) => variant === 'strict' || !(`${scanner} ${id}` in REASONS))
      .map(({ id, words }) => `${variant}: ${scanner} ${id}: ${words}: mend the preset, or give a reason in scripts/scoreboard/reasons.ts`)),
    ...Object.keys(REASONS).filter(key => !found.has(key)).map(key => `${key}: the reason has no finding: remove it from scripts/scoreboard/reasons.ts`),
  ];
}

function textOf(rows: readonly Row[]): string {
  const versions = Object.entries(SCANNERS).map(([name, { version }]) => `${name} ${version.replace(/^v/, '')}`).join(', ');
  const scores = rows.map(({ scanner, variant, passed, findings }) => `| ${scanner} | ${variant} | ${passed} | ${findings.length === 0 ? 'none' : findings.map(({ id }) => id).join(', ')} |`);
  const reasons = new Map<Reason, string[]>();
  Object.entries(REASONS).forEach(([key, reason]) => reasons.set(reason, [...reasons.get(reason) ?? [], key]));
  return `<!-- Written by npm run scoreboard; do not edit. -->
# What scanners say

Scanners skip custom resources. \`agent-sandbox project PATH...\` (or \`SandboxProjection\` in a program) prints the Pods, volumes and NetworkPolicies that the
controller makes of templates, pools and Sandboxes, so that scanners see them:

\`\`\`
npx agent-sandbox-check project dist -o plain.yaml
kube-score score plain.yaml
checkov --framework kubernetes -f plain.yaml
\`\`\`

\`npm run scoreboard\` does this with every isolation and every network preset, and fails for a finding without a reason. *presets* is a container with an
image, a port, CPU and memory; *strict* sets the props below as well. Versions: ${versions}, all their rules; Pod Security is that of the API server,
which is asked to create each Pod (server-side dry run) in a namespace that enforces \`restricted\`.

| scanner | variant | passed | rules with findings |
|---|---|---|---|
${scores.join('\n')}

Why the presets leave these to you, and the props that satisfy them:

| rules | reason | props |
|---|---|---|
${[...reasons].map(([{ why, remedy }, keys]) => `| ${keys.join(', ')} | ${why} | ${remedy} |`).join('\n')}

polaris, kubesec and kube-linter are not in the table: their modules could not be fetched from the Go module proxy when it was made.
`;
}

main().then(code => process.exit(code), (error: unknown) => {
  console.error(error);
  process.exit(1);
});
