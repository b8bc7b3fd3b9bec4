import { checkCalls, checkProps } from '../checks';
import { checkManifests } from './checks';
import { type Finding, FindingSeverity } from './finding';

/** Options of the plugin, as `properties` in `cdk8s.yaml`. */
export interface AgentSandboxValidationProps {
  /**
   * Whether warnings fail the validation as errors do.
   *
   * @default false
   */
  readonly strict?: boolean;
}

/**
 * The rules as a plugin of `cdk8s synth --validate`: named as `class` in `validations` of `cdk8s.yaml`, with this package.
 *
 * @see https://cdk8s.io/docs/latest/cli/synth/
 */
export class AgentSandboxValidation {
  private readonly strict: boolean;

  /** @param props options of the plugin */
  public constructor(props: AgentSandboxValidationProps = {}) {
    checkProps('AgentSandboxValidation', 'AgentSandboxValidationProps', props);
    this.strict = props.strict ?? false;
  }

  /**
   * Validates synthesized manifests; the cdk8s command line calls it.
   *
   * @param context what cdk8s passes: `manifests`, the paths, `parseManifest(path)`, and `report`
   */
  public async validate(context: any): Promise<void> {
    const files = new Map<string, string>();
    const located = (context.manifests as string[]).flatMap(path => (context.parseManifest(path) as any[]).map((manifest, index) => {
      const place = `${path} [${index}]`;
      files.set(place, path);
      return { manifest, place };
    }));
    const findings = checkManifests(located);
    const byRule = new Map<string, Finding[]>();
    findings.forEach(each => byRule.set(each.rule, [...byRule.get(each.rule) ?? [], each]));
    for (const [ruleName, found] of byRule) {
      context.report.addViolation({
        ruleName,
        recommendation: [...new Set(found.map(({ message }) => message))].join('; '),
        fix: [...new Set(found.map(({ remedy }) => remedy))].join('; '),
        violatingResources: found.map(({ object, field, place }) => ({
          resourceName: object.split('/').at(-1)!.split(' ').at(-1)!, locations: [field], manifestPath: files.get(place.replace(/ items\[\d+\]$/, '')) ?? place,
        })),
      });
    }
    const failed = findings.some(({ severity }) => this.strict || severity === FindingSeverity.ERROR);
    context.report.submit(failed ? 'failure' : 'success', { findings: String(findings.length) });
  }
}
checkCalls(AgentSandboxValidation);
