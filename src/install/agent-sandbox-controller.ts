import { Chart } from 'cdk8s';
import { Construct } from 'constructs';
import { checkProps, dns1035Label, dnsLabel, dnsSubdomain, hasPlaceholders, portNumber, Problems } from '../checks';
import { SHARD_LEASES } from '../generated/rights.gen';
import { AgentSandboxCrds } from '../kinds';
import { checkKeys, checkLabels } from '../objects';
import { controllerAccount, controllerDeployment, type InstalledController, metricsService, takenControllerFlags } from './controller';
import { CONTROLLER_FLAGS } from './controller-flags.gen';
import { checkExtraArgs } from './extra-args';
import { checkFlags } from './flag';
import { ControllerImplementation, UPSTREAM_TAG } from './implementation';
import { checkMonitoring, monitoring } from './monitoring';
import { CONTROLLER, CONTROLLER_PORTS, DEFAULT_NAMESPACE, ROUTER_NAME, selectorLabels } from './names';
import { clusterObject } from './objects';
import type { AgentSandboxControllerProps } from './props';
import { checkRouter, router, routerTarget } from './router';
import { userRoles } from './user-roles';
import { checkProgram } from './workload';

/**
 * Everything that brings Sandboxes to life: the CustomResourceDefinitions, the controller with exactly the rights that it
 * uses, and, where asked, the router, alerts and a dashboard. A chart of its own, in an order that applies in one pass.
 *
 * There is no webhook and there are no certificates.
 *
 * @throws if a prop is not well-formed; the error names every such prop, its value and the remedy
 */
export class AgentSandboxController extends Chart {
  /** Name of the controller's Deployment, service account and roles. */
  public readonly name: string;

  /**
   * @param scope the app
   * @param id the construct's id, and the name of the file
   * @param props what is installed, and how
   */
  public constructor(scope: Construct, id: string, props: AgentSandboxControllerProps) {
    const namespace = checked(scope, id, props).namespace ?? DEFAULT_NAMESPACE;
    super(scope, id, { namespace, labels: { ...props.labels, 'app.kubernetes.io/part-of': 'agent-sandbox' } });
    this.name = props.name ?? CONTROLLER;
    const controller: InstalledController = {
      name: this.name,
      namespace,
      selector: selectorLabels(this.name, 'controller'),
      implementation: props.implementation ?? ControllerImplementation.BUNDLED,
    };
    check(this, controller, props);

    if (props.createNamespace ?? true) {
      const level = (mode: string) => [`pod-security.kubernetes.io/${mode}`, 'restricted'];
      clusterObject(this, 'v1', 'Namespace', { name: namespace, labels: Object.fromEntries(['enforce', 'audit', 'warn'].map(level)) });
    }
    if (props.crds ?? true) {
      new AgentSandboxCrds(this, 'Crds', { annotations: props.crdAnnotations });
    }
    if (props.userRoles ?? true) {
      userRoles(this, props.editorsConnect ?? false);
    }
    const service = props.metricsServiceName ?? this.name;
    controllerAccount(this, controller, props);
    metricsService(this, service, controller.selector, CONTROLLER_PORTS.metrics);
    controllerDeployment(this, controller, props);
    if (props.router) {
      router(this, namespace, props.router, props);
    }
    if (props.monitoring) {
      monitoring(this, props.monitoring, {
        namespace,
        controller: { name: this.name, service, selector: controller.selector },
        router: props.router && routerTarget(),
        leaderElect: props.leaderElect ?? true,
        ownMetrics: controller.implementation === ControllerImplementation.BUNDLED,
      });
    }
  }
}

/** A chart has no scope that it could check its props in, and needs the namespace before it is one. */
function checked(scope: Construct, id: string, props: AgentSandboxControllerProps): AgentSandboxControllerProps {
  const kind = 'AgentSandboxController';
  if (!Construct.isConstruct(scope) || typeof id !== 'string' || id === '') {
    const problems = Problems.of(kind);
    problems.add(Construct.isConstruct(scope) ? 'id' : 'scope', Construct.isConstruct(scope) ? id : scope, `define it in an app: new ${kind}(app, 'agent-sandbox', { image: '…' })`);
    problems.throwIfAny();
  }
  checkProps([scope.node.path, id].filter(Boolean).join('/'), `${kind}Props`, props);
  return props;
}

function check(chart: Chart, { name, namespace, implementation }: InstalledController, props: AgentSandboxControllerProps): void {
  const problems = Problems.of(chart.node.path);
  problems.check('namespace', namespace, dnsLabel);
  problems.check('name', name, dns1035Label);
  if (name === ROUTER_NAME) {
    problems.add('name', name, 'the router has this name: use another');
  }
  checkLabels(problems, 'labels', props.labels);
  checkKeys(problems, 'crdAnnotations', props.crdAnnotations);
  checkProgram(problems, props);
  checkFlags(problems, CONTROLLER_FLAGS, props);
  checkExtraArgs(problems, props.extraArgs, takenControllerFlags(implementation));
  if (implementation !== ControllerImplementation.BUNDLED) {
    for (const [prop, { original }] of Object.entries(CONTROLLER_FLAGS)) {
      const value = props[prop as keyof typeof CONTROLLER_FLAGS];
      if (!original && value !== undefined) {
        problems.add(prop, value, `the controller of ${UPSTREAM_TAG} has no such flag: leave it out`);
      }
    }
  }
  if (implementation === ControllerImplementation.UPSTREAM_V0_5_6 && !isUpstreamImage(props.image)) {
    problems.add('image', props.image, `flags and role are those of ${UPSTREAM_TAG}: use an image with this tag, or its digest`);
  }
  if ((props.replicas ?? 1) > 1 && props.leaderElect === false) {
    problems.add('leaderElect', false, 'several replicas would all work: leave it out, or use one replica');
  }
  if (!hasPlaceholders() && (props.shards ?? 1) > SHARD_LEASES.length) {
    problems.add('shards', props.shards, `use at most ${SHARD_LEASES.length}`);
  }
  if ((props.shards ?? 1) > 1 && props.leaderElect === false) {
    problems.add('leaderElect', false, 'shards are divided by leader election: leave it out, or leave out shards');
  }
  problems.check('metricsServiceName', props.metricsServiceName, dns1035Label);
  (props.metricsNamespaces ?? []).forEach((one, index) => problems.check(`metricsNamespaces[${index}]`, one, dnsLabel));
  (props.apiServerPorts ?? []).forEach((port, index) => problems.check(`apiServerPorts[${index}]`, port, portNumber));
  for (const prop of ['metricsNamespaces', 'apiServerPorts', 'allowedLabelDomains'] as const) {
    if (props[prop]?.length === 0) {
      problems.add(prop, props[prop], 'name at least one, or leave it out');
    }
  }
  (props.allowedLabelDomains ?? []).forEach((domain, index) => problems.check(`allowedLabelDomains[${index}]`, domain, dnsSubdomain));
  if (props.monitoring) {
    checkMonitoring(problems.at('monitoring'), props.monitoring);
  }
  if (props.router) {
    checkRouter(problems.at('router'), props.router);
  }
  problems.throwIfAny();
}

function isUpstreamImage(image: string): boolean {
  return image.endsWith(`:${UPSTREAM_TAG}`) || image.includes('@sha256:');
}
