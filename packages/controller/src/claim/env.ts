import type { Container, EnvVar, PodSpec, SandboxClaimEnvVar, SandboxTemplateSpec } from 'agent-sandbox-api';
import { problem, type Problem } from './problem.js';

type Policy = SandboxTemplateSpec['envVarsInjectionPolicy'];

/** Puts the environment variables of a claim into the containers of a Pod spec, as far as the template's policy lets it. */
export function withEnv(spec: PodSpec, env: readonly SandboxClaimEnvVar[], policy: Policy): PodSpec | Problem {
  if (env.length === 0) {
    return spec;
  }
  if (policy !== 'Allowed' && policy !== 'Overrides') {
    return problem.envRejected('the template does not allow environment variables of claims: its envVarsInjectionPolicy is Disallowed');
  }
  // Those that name a container come first, so that for one without a name they count as the container's own.
  const sorted = [...env.filter(({ containerName }) => containerName), ...env.filter(({ containerName }) => !containerName)];
  let result = spec;
  for (const variable of sorted) {
    const changed = withVariable(result, variable, policy);
    if ('reason' in changed) {
      return changed;
    }
    result = changed;
  }
  return result;
}

function withVariable(spec: PodSpec, { name, value, containerName }: SandboxClaimEnvVar, policy: 'Allowed' | 'Overrides'): PodSpec | Problem {
  const target = containerName || spec.containers?.[0]?.name;
  for (const list of ['containers', 'initContainers'] as const) {
    const index = (spec[list] ?? []).findIndex(container => container.name === target);
    if (index >= 0) {
      const changed = withVariableIn(spec[list]![index]!, { name, value }, policy);
      return 'reason' in changed ? changed : { ...spec, [list]: replaced(spec[list]!, index, changed) };
    }
  }
  return problem.error(`the environment variable "${name}" is for the container "${target ?? ''}", which the template does not have`);
}

function withVariableIn(container: Container, variable: EnvVar, policy: 'Allowed' | 'Overrides'): Container | Problem {
  if (policy === 'Allowed' && container.envFrom?.length) {
    return problem.envRejected(`the container "${container.name}" takes variables from envFrom, which "${variable.name}" could override: the template would have to allow Overrides`);
  }
  const env = container.env ?? [];
  const index = env.findIndex(({ name }) => name === variable.name);
  if (index < 0) {
    return { ...container, env: [...env, variable] };
  }
  return policy === 'Overrides'
    ? { ...container, env: replaced(env, index, variable) }
    : problem.error(`the environment variable "${variable.name}" is set already in the container "${container.name}": the template would have to allow Overrides`);
}

function replaced<T>(list: readonly T[], index: number, item: T): T[] {
  return list.map((old, i) => (i === index ? item : old));
}
