import { createHash } from 'node:crypto';
import type { Construct } from 'constructs';
import { CONTROLLER_RULES, ORIGINAL_CONTROLLER_RULES } from '../generated/rights.gen';
import { CONTROLLER_FLAGS } from './controller-flags.gen';
import type { TakenFlags } from './extra-args';
import { flagArgs } from './flag';
import { ControllerImplementation, FIXED_ARGS } from './implementation';
import { CONFIG, CONTROLLER_PORTS } from './names';
import { networkPolicy, podsOf } from './network-policies';
import { type Account, clusterRole, object, role } from './objects';
import type { AgentSandboxControllerProps } from './props';
import { deployment, httpProbe, serviceAccount } from './workload';

/** The controller as the other parts see it. @internal */
export interface InstalledController {
  readonly name: string;
  readonly namespace: string;
  readonly selector: { [key: string]: string };
  readonly implementation: ControllerImplementation;
}

/** The flags of the controller that `extraArgs` must not repeat. @internal */
export function takenControllerFlags(implementation: ControllerImplementation): TakenFlags {
  return new Map<string, readonly string[]>([
    ...FIXED_ARGS[implementation].map(arg => [arg.replace(/^--|=.*$/g, ''), []] as const),
    ...Object.entries(CONTROLLER_FLAGS).map(([prop, { flag }]) => [flag, [prop]] as const),
  ]);
}

/** @internal */
export function controllerAccount(scope: Construct, controller: InstalledController, props: AgentSandboxControllerProps): void {
  const { name, namespace, selector } = controller;
  serviceAccount(scope, controller, props);
  const rules = controller.implementation === ControllerImplementation.BUNDLED ? CONTROLLER_RULES : ORIGINAL_CONTROLLER_RULES;
  const account: Account = { name, namespace };
  const extensions = props.extensions ?? true;
  if (props.namespaces) {
    for (const watched of props.namespaces) {
      role(scope, name, rules.core, account, watched);
      if (extensions) {
        role(scope, `${name}-extensions`, rules.extensions, account, watched);
      }
    }
  } else {
    clusterRole(scope, name, rules.core, account);
    if (extensions) {
      clusterRole(scope, `${name}-extensions`, rules.extensions, account);
    }
  }
  if (props.leaderElect ?? true) {
    role(scope, `${name}-leader-election`, rules.own, account);
  }
  if (props.networkPolicy ?? true) {
    networkPolicy(scope, name, selector, {
      ingress: [{ from: podsOf(props.metricsNamespaces), ports: [CONTROLLER_PORTS.metrics] }],
      apiServerPorts: props.apiServerPorts,
      tracing: props.enableTracing ?? false,
    });
  }
}

/** @internal */
export function controllerDeployment(scope: Construct, controller: InstalledController, props: AgentSandboxControllerProps): void {
  const { name, selector } = controller;
  const domains = props.allowedLabelDomains?.join(',');
  if (domains !== undefined) {
    object(scope, 'v1', 'ConfigMap', { name: CONFIG.configMap, labels: selector }, { data: { [CONFIG.key]: domains } });
  }
  const replicas = props.replicas ?? 1;
  deployment(scope, {
    name,
    container: 'controller',
    selector,
    replicas,
    several: replicas > 1,
    args: [...FIXED_ARGS[controller.implementation], ...flagArgs(CONTROLLER_FLAGS, props), ...(props.extraArgs ?? [])],
    ports: CONTROLLER_PORTS,
    probes: {
      // Filling the caches of a large cluster takes time. A controller without an endpoint after a minute has not started.
      startup: httpProbe('/healthz', 'healthz', 2, 30),
      liveness: httpProbe('/healthz', 'healthz', 20),
      readiness: httpProbe('/readyz', 'healthz', 5),
    },
    // The file is read once, at the start.
    podAnnotations: domains === undefined ? undefined : { 'checksum/config': createHash('sha256').update(domains).digest('hex') },
    volumes: domains === undefined ? [] : [{ name: 'config', path: CONFIG.folder, source: { configMap: { name: CONFIG.configMap } } }],
  }, props);
}

/** The Service whose endpoints Prometheus asks. @internal */
export function metricsService(scope: Construct, name: string, selector: { [key: string]: string }, port: number): void {
  object(scope, 'v1', 'Service', { name, labels: selector }, { spec: { selector, ports: [{ name: 'metrics', port, targetPort: 'metrics' }] } });
}
