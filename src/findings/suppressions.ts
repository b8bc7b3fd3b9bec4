import { FindingSeverity } from './finding';
import { isSuppressed, type Rule, SUPPRESSION } from './world';

export const SUPPRESSION_RULES: readonly Rule[] = [
  {
    id: 'suppression-without-reason',
    severity: FindingSeverity.WARNING,
    summary: 'An annotation `agent-sandbox-check/ignore.RULE` accepts a finding without a reason of at least ten characters.',
    check: ({ subjects }, report) => {
      for (const subject of subjects) {
        for (const key of Object.keys(subject.manifest?.metadata?.annotations ?? {}).filter(each => each.startsWith(SUPPRESSION))) {
          if (!isSuppressed(subject, key.slice(SUPPRESSION.length))) {
            report(subject, `metadata.annotations['${key}']`, subject.manifest.metadata.annotations[key], 'it says no reason, so the finding stays', 'write why it is accepted');
          }
        }
      }
    },
  },
];
