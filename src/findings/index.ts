import { setTreeCheck } from '../checks';
import { treeFindings } from './checks';
import { findingLine, shownFindings } from './finding';

export { checkManifests, Checks, RuleInfo, ruleInfos, treeFindings } from './checks';
export { SECRET_NAME } from './containers';
export { Finding, FindingSeverity, shownFindings } from './finding';
export { sarifOf, type SarifResult } from './sarif';
export { CATALOGUES, type Standards, STANDARDS, tagsOf } from './standards';
export { AgentSandboxValidation, AgentSandboxValidationProps } from './validation';

// The constructs below cannot know the rules, which know the constructs.
setTreeCheck(root => shownFindings(treeFindings(root)).flatMap(({ finding, more }) => [
  findingLine(finding), ...(more > 0 ? [`and ${more} more of this kind, which Checks.of(app) lists [${finding.rule}]`] : []),
]));
