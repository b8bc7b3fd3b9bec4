import type { SandboxTemplateSpec, VolumeClaimTemplate } from 'agent-sandbox-api';
import { problem, type Problem } from './problem.js';

type Templates = readonly VolumeClaimTemplate[];

/** The volumes of a Sandbox: those of the template with those of the claim added or put in their place, as the policy says. */
export function mergedVolumes(template: Templates, claim: Templates, policy: SandboxTemplateSpec['volumeClaimTemplatesPolicy']): Templates | Problem {
  const unusable = nameProblem('template', template) ?? nameProblem('claim', claim);
  if (unusable !== undefined) {
    return problem.volumesRejected(unusable);
  }
  if (claim.length === 0) {
    return template;
  }
  if (policy !== 'Allowed' && policy !== 'Overrides') {
    return problem.volumesRejected('the template does not allow volumes of claims: its volumeClaimTemplatesPolicy is Disallowed');
  }
  const overridden = template.map(nameOf).find(name => claim.some(other => nameOf(other) === name));
  if (overridden !== undefined && policy === 'Allowed') {
    return problem.volumesRejected(`cannot override template volume "${overridden}": the template's volumeClaimTemplatesPolicy is Allowed, not Overrides`);
  }
  const kept = template.map(volume => claim.find(other => nameOf(other) === nameOf(volume)) ?? volume);
  return [...kept, ...claim.filter(volume => !kept.includes(volume))];
}

function nameProblem(whose: string, volumes: Templates): string | undefined {
  const names = volumes.map(nameOf);
  const unnamed = names.indexOf('');
  if (unnamed >= 0) {
    return `volumeClaimTemplates[${unnamed}] of the ${whose} has no name: give it metadata.name`;
  }
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  return twice === undefined ? undefined : `the name "${twice}" occurs twice in volumeClaimTemplates of the ${whose}`;
}

function nameOf(volume: VolumeClaimTemplate): string {
  return volume.metadata?.name ?? '';
}
