/** What a scanner says about manifests. */
export interface Score {
  /** How many rules, counted once for each object, hold. */
  readonly passed: number;
  /** Rules that do not hold somewhere, each once. */
  readonly findings: readonly { readonly id: string; readonly words: string }[];
}

interface Scanner {
  readonly version: string;
  readonly args: (file: string) => string[];
  readonly read: (output: any) => Score;
}

/** Rules of kube-score that it leaves out unless they are named. */
const OPTIONAL = [
  'container-resource-requests-equal-limits', 'container-cpu-requests-equal-limits', 'container-memory-requests-equal-limits', 'container-seccomp-profile',
  'container-ephemeral-storage-request-equals-limit', 'container-ports-check',
];
/** The lowest grade of kube-score that is no finding. */
const ALL_OK = 10;

export const SCANNERS = {
  'checkov': {
    version: '3.3.30',
    args: file => ['-f', file, '--framework', 'kubernetes', '--compact', '--quiet', '--skip-download', '-o', 'json'],
    read: ({ summary, results }) => ({
      passed: summary.passed, findings: distinct(results.failed_checks.map((each: any) => ({ id: each.check_id, words: each.check_name }))),
    }),
  },
  'kube-score': {
    version: 'v1.20.0',
    args: file => ['score', '--output-format', 'json', ...OPTIONAL.flatMap(id => ['--enable-optional-test', id]), file],
    read: (objects: any[]) => {
      const checks = objects.flatMap(({ checks: all }) => all).filter(({ skipped }: any) => !skipped);
      return {
        passed: checks.filter(({ grade }: any) => grade === ALL_OK).length,
        findings: distinct(checks.filter(({ grade }: any) => grade < ALL_OK)
          .map(({ check, comments }: any) => ({ id: check.id, words: comments?.[0]?.summary ?? check.name }))),
      };
    },
  },
} satisfies Readonly<Record<string, Scanner>>;

/** Each rule once, sorted. */
function distinct(findings: readonly { readonly id: string; readonly words: string }[]): Score['findings'] {
  return [...new Map(findings.map(each => [each.id, each])).values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}
