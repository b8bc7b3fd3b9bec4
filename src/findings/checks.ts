import type { IConstruct } from 'constructs';
import { checkCalls } from '../checks';
import { AMOUNT_RULES } from './amounts';
import { CONTAINER_RULES } from './containers';
import { CONTRADICTION_RULES } from './contradictions';
import { type Finding, FindingSeverity } from './finding';
import { NAME_RULES } from './names';
import { INSTALLATION_RULES } from './installation';
import { REFERENCE_RULES } from './references';
import { RIGHTS_RULES } from './rights';
import { FIELD_RULES, typedManifest } from './fields';
import { NETWORK_RULES } from './network';
import { POD_RULES } from './pod-fields';
import { SUPPRESSION_RULES } from './suppressions';
import { type Rule, run, Subject, World } from './world';

/** All rules, in the order in which they are applied. @internal */
export const RULES: readonly Rule[] = [
  ...NAME_RULES, ...REFERENCE_RULES, ...CONTRADICTION_RULES, ...AMOUNT_RULES, ...INSTALLATION_RULES, ...RIGHTS_RULES,
  ...NETWORK_RULES, ...POD_RULES, ...CONTAINER_RULES, ...FIELD_RULES, ...SUPPRESSION_RULES,
];

const AT_SYNTH = RULES.filter(rule => !rule.manifestsOnly && !rule.notAtSynth && rule.severity === FindingSeverity.ERROR);

/**
 * Finds what is wrong in objects and between them: in a tree of constructs, or in manifests that something else has written.
 * Synthesis runs the same rules and fails for findings of the severity ERROR. The rules are in docs/reference/rules.md.
 */
export class Checks {
  /**
   * Findings of an app, a chart or any other construct, with everything below it.
   *
   * @param scope the construct
   * @returns findings in the order of the rules; none means that all is well
   * @throws if it is none
   */
  public static of(scope: IConstruct): Finding[] {
    return run(World.ofTree(scope), RULES.filter(rule => !rule.manifestsOnly));
  }

  /**
   * Findings of manifests, whatever has written them.
   *
   * @param manifests objects as in manifests, such as the documents of YAML files
   * @returns findings in the order of the rules; none means that all is well
   * @throws if it is no list
   */
  public static ofManifests(manifests: any[]): Finding[] {
    return checkManifests(manifests.map((manifest: any, index: number) => ({ manifest, place: `manifests[${index}]` })));
  }

  private constructor() {}
}
checkCalls(Checks);

/** What synthesis refuses in a tree. @internal */
export function treeFindings(root: IConstruct): Finding[] {
  return run(World.ofTree(root), AT_SYNTH);
}

/**
 * Findings of manifests, each with the place where it was found.
 *
 * @internal
 */
export function checkManifests(located: ReadonlyArray<{ readonly manifest: any; readonly place: string }>): Finding[] {
  const items = ({ manifest, place }: { readonly manifest: any; readonly place: string }) => (manifest?.kind === 'List' && Array.isArray(manifest.items)
    ? manifest.items.map((item: any, index: number) => ({ manifest: item, place: `${place} items[${index}]` }))
    : [{ manifest, place }]);
  const objects = located.flatMap(items).filter(({ manifest }) => typeof manifest === 'object' && manifest !== null);
  return run(new World(objects.map(({ manifest, place }) => Subject.ofManifest(manifest, place, typedManifest(manifest)))), RULES);
}

/** Id and meaning of a rule. @internal */
export interface RuleInfo {
  readonly id: string;
  readonly summary: string;
}

/** All rules. @internal */
export function ruleInfos(): RuleInfo[] {
  return RULES.map(({ id, summary }) => ({ id, summary }));
}
