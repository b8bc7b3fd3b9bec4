import { setTreeCheck } from '../checks';
import { treeFindings } from './checks';
import { findingLine } from './finding';

export { checkManifests, Checks, RuleInfo, ruleInfos, treeFindings } from './checks';
export { Finding, FindingSeverity } from './finding';
export { sarifOf, type SarifResult } from './sarif';
export { CATALOGUES, type Standards, STANDARDS, tagsOf } from './standards';
export { AgentSandboxValidation, AgentSandboxValidationProps } from './validation';

// The constructs below cannot know the rules, which know the constructs.
setTreeCheck(root => treeFindings(root).map(findingLine));
