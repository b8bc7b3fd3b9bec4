import { Duration } from 'cdk8s';
import type { Construct } from 'constructs';
import type { Problems } from '../checks';
import { ROUTER_RULES } from '../generated/rights.gen';
import { GROUP, LABEL, ROUTER } from '../generated/vocabulary.gen';
import type { Target } from './monitoring';
import { ROUTER_NAME, ROUTER_SERVICE, selectorLabels } from './names';
import { networkPolicy, podsOf } from './network-policies';
import { type Account, clusterObject, clusterRole, object, role } from './objects';
import type { AgentSandboxControllerProps } from './props';
import { checkRouterFlags, ROUTER_ARGS, routerArgs, routerSecrets } from './router-flags';
import { checkGateway, gateway } from './router-gateway';
import type { RouterProps } from './router-props';
import { checkProgram, deployment, httpProbe, serviceAccount } from './workload';

/** The labels that the policies of templates let in are among those of the Pods. */
const SELECTOR = selectorLabels(ROUTER_NAME, 'router');
const MINIMUM = 2;

/** @internal */
export function checkRouter(problems: Problems, props: RouterProps): void {
  checkProgram(problems, props);
  checkRouterFlags(problems, props);
  if (props.maxReplicas === undefined) {
    for (const prop of ['minReplicas', 'targetCpuUtilization'] as const) {
      if (props[prop] !== undefined) {
        problems.add(prop, props[prop], 'it is for an autoscaler: set maxReplicas as well, or leave it out');
      }
    }
  } else {
    const min = props.minReplicas ?? MINIMUM;
    if (!Number.isInteger(min) || min < MINIMUM) {
      problems.add('minReplicas', min, `use a whole number from ${MINIMUM}: the last router has no substitute`);
    } else if (!Number.isInteger(props.maxReplicas) || props.maxReplicas < min) {
      problems.add('maxReplicas', props.maxReplicas, `use a whole number from ${min}, the value of minReplicas`);
    }
    if (props.replicas !== undefined) {
      problems.add('replicas', props.replicas, 'the autoscaler decides: use minReplicas');
    }
  }
  if (props.gateway) {
    checkGateway(problems, props.gateway, props.allowHttpTokens ?? false);
  }
}

/** What is monitored of the router. @internal */
export function routerTarget(): Target {
  return { name: ROUTER_NAME, service: ROUTER_SERVICE, selector: SELECTOR };
}

/** @internal */
export function router(scope: Construct, namespace: string, props: RouterProps, install: AgentSandboxControllerProps): void {
  const autoscaled = props.maxReplicas !== undefined;
  const replicas = props.replicas ?? MINIMUM;
  const program = { name: ROUTER_NAME, selector: SELECTOR };
  serviceAccount(scope, program, props);
  roles(scope, { name: ROUTER_NAME, namespace }, props, install.namespaces);
  const https: { [name: string]: number } = props.tlsSecret ? { https: ROUTER_ARGS.https } : {};
  const ports: { [name: string]: number } = { http: ROUTER_ARGS.http, ...https, metrics: ROUTER_ARGS.metrics };
  object(scope, 'v1', 'Service', { name: ROUTER_SERVICE, labels: SELECTOR }, {
    spec: { selector: SELECTOR, ports: Object.entries(ports).map(([name, port]) => ({ name, port, targetPort: name })) },
  });
  if (install.networkPolicy ?? true) {
    networkPolicy(scope, ROUTER_NAME, SELECTOR, {
      ingress: [
        { from: props.clientNamespaces && podsOf(props.clientNamespaces), ports: Object.values({ http: ROUTER_ARGS.http, ...https }) },
        { from: podsOf(install.metricsNamespaces), ports: [ROUTER_ARGS.metrics] },
      ],
      apiServerPorts: install.apiServerPorts,
      tracing: props.enableTracing ?? false,
      // Every Pod of a Sandbox has the label, and the router itself looks at the ports.
      outside: props.browser?.oidc !== undefined,
      egress: [{ to: [{ namespaceSelector: {}, podSelector: { matchExpressions: [{ key: LABEL.sandboxNameHash, operator: 'Exists' }] } }] }],
    });
  }
  deployment(scope, {
    ...program,
    container: 'router',
    replicas: autoscaled ? undefined : replicas,
    several: autoscaled || replicas > 1,
    args: routerArgs(props, install.namespaces),
    ports: { ...ports, healthz: ROUTER_ARGS.healthz },
    probes: {
      startup: httpProbe('/healthz', 'healthz', 2, 30),
      liveness: httpProbe('/healthz', 'healthz', 20),
      readiness: httpProbe('/readyz', 'healthz', 2),
    },
    podLabels: ROUTER.labels,
    volumes: routerSecrets(props),
    // Longer than the program takes to let requests end.
    terminationGracePeriod: Duration.seconds(45),
  }, props);
  if (autoscaled) {
    const target = { type: 'Utilization', averageUtilization: props.targetCpuUtilization ?? 70 };
    object(scope, 'autoscaling/v2', 'HorizontalPodAutoscaler', { name: ROUTER_NAME, labels: SELECTOR }, {
      spec: {
        scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: ROUTER_NAME },
        minReplicas: props.minReplicas ?? MINIMUM,
        maxReplicas: props.maxReplicas,
        metrics: [{ type: 'Resource', resource: { name: 'cpu', target } }],
      },
    });
  }
  if (props.gateway) {
    gateway(scope, props.gateway);
  }
}

function roles(scope: Construct, account: Account, props: RouterProps, namespaces: readonly string[] | undefined): void {
  const grant = (name: string, rules: Parameters<typeof role>[2]) => (namespaces
    ? namespaces.forEach(namespace => role(scope, name, rules, account, namespace))
    : clusterRole(scope, name, rules, account));
  grant(ROUTER_NAME, ROUTER_RULES.resolve);
  if ((props.tokenReview ?? true) && !props.allowUnauthenticated) {
    clusterRole(scope, `${ROUTER_NAME}-authorize`, ROUTER_RULES.authorize, account);
  }
  // A role of its own: people who sign in are asked about whether or not tokens of the cluster are accepted.
  if (props.browser?.oidc) {
    clusterRole(scope, `${ROUTER_NAME}-access`, ROUTER_RULES.access, account);
  }
  if (props.resumeOnRequest) {
    grant(`${ROUTER_NAME}-resume`, ROUTER_RULES.resume);
    resumePolicy(scope, account, `${ROUTER_NAME}-resume`);
  }
  if (props.restApi) {
    grant(`${ROUTER_NAME}-rest`, ROUTER_RULES.rest);
    resumePolicy(scope, account, `${ROUTER_NAME}-rest`);
  }
}

const ADMISSION = 'admissionregistration.k8s.io/v1';

/** RBAC cannot grant single fields: the right to patch a Sandbox includes its Pod. So an admission policy limits the router to the fields that suspend or resume one. */
function resumePolicy(scope: Construct, account: Account, name: string): void {
  const same = (path: string, key: string) => `object.${path}.?${key} == oldObject.${path}.?${key}`;
  clusterObject(scope, ADMISSION, 'ValidatingAdmissionPolicy', { name }, {
    spec: {
      failurePolicy: 'Fail',
      matchConstraints: {
        matchPolicy: 'Equivalent',
        resourceRules: [{ apiGroups: [GROUP], apiVersions: ['*'], operations: ['UPDATE'], resources: ['sandboxes'] }],
      },
      matchConditions: [{ name: 'router', expression: `request.userInfo.username == 'system:serviceaccount:${account.namespace}:${account.name}'` }],
      validations: [
        {
          expression: '[object.spec, oldObject.spec].all(spec, spec.all(key, key in ["operatingMode", "replicas"] || (key in object.spec && key in oldObject.spec && object.spec[key] == oldObject.spec[key])))',
          message: 'the router may change spec.operatingMode and spec.replicas only',
        },
        {
          expression: ['labels', 'annotations', 'ownerReferences', 'finalizers'].map(key => same('metadata', key)).join(' && '),
          message: 'the router may not change metadata',
        },
      ],
    },
  });
  clusterObject(scope, ADMISSION, 'ValidatingAdmissionPolicyBinding', { name }, { spec: { policyName: name, validationActions: ['Deny'] } });
}
