import { ApiObject, App, Chart } from 'cdk8s';

/** Expressions of CEL, put together from small ones. Fields that are not set have to be asked for with `has`. */
const isTrue = (field: string) => `(has(${field}) && ${field})`;
const unsetOr = (field: string, condition: string) => `(!has(${field}) || ${condition})`;
const setAnd = (field: string, condition: string) => `(has(${field}) && ${condition})`;
const every = (condition: string) => `variables.containers.all(c, ${condition})`;
const POD = 'variables.pod';

/** What must hold for a Sandbox, and what its author reads if it does not. */
const RULES: { [message: string]: string } = {
  'runtimeClassName must be gvisor':
    setAnd(`${POD}.runtimeClassName`, `${POD}.runtimeClassName == 'gvisor'`),
  'the network, the processes and the shared memory of the node are off limits':
    ['hostNetwork', 'hostPID', 'hostIPC'].map(field => `!${isTrue(`${POD}.${field}`)}`).join(' && '),
  'automountServiceAccountToken must be false':
    setAnd(`${POD}.automountServiceAccountToken`, `!${POD}.automountServiceAccountToken`),
  'containers must not be privileged':
    every(unsetOr('c.securityContext', `!${isTrue('c.securityContext.privileged')}`)),
  'containers must drop ALL capabilities':
    every(setAnd('c.securityContext', setAnd('c.securityContext.capabilities',
      setAnd('c.securityContext.capabilities.drop', "'ALL' in c.securityContext.capabilities.drop")))),
  'containers must not add capabilities':
    every(unsetOr('c.securityContext', unsetOr('c.securityContext.capabilities', '!has(c.securityContext.capabilities.add)'))),
  'containers must have limits of CPU and memory':
    every(setAnd('c.resources', setAnd('c.resources.limits', "'cpu' in c.resources.limits && 'memory' in c.resources.limits"))),
  'containers must not run as root':
    every(`${setAnd('c.securityContext', 'has(c.securityContext.runAsNonRoot)')} ? c.securityContext.runAsNonRoot : ${
      setAnd(`${POD}.securityContext`, isTrue(`${POD}.securityContext.runAsNonRoot`))}`),
  'volumes must not be folders of the node':
    unsetOr(`${POD}.volumes`, `${POD}.volumes.all(v, !has(v.hostPath))`),
  'volumes must not carry credentials of the cluster':
    unsetOr(`${POD}.volumes`, `${POD}.volumes.all(v, ${unsetOr('v.projected', unsetOr('v.projected.sources',
      'v.projected.sources.all(s, !has(s.serviceAccountToken) && !has(s.clusterTrustBundle) && !has(s.podCertificate))'))})`),
  'ports of the node are off limits':
    every(unsetOr('c.ports', 'c.ports.all(p, !has(p.hostPort))')),
  'sysctls are off limits':
    unsetOr(`${POD}.securityContext`, `!has(${POD}.securityContext.sysctls)`),
  'procMount must be Default':
    every(unsetOr('c.securityContext', unsetOr('c.securityContext.procMount', "c.securityContext.procMount == 'Default'"))),
};

const app = new App();
const chart = new Chart(app, 'admission-policy');

// Templates of this library meet these rules, given limits and gVisor. The policy holds for every Sandbox, also for those
// that the controller makes for claims and those that are written by hand.
const policy = new ApiObject(chart, 'policy', {
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'ValidatingAdmissionPolicy',
  metadata: { name: 'secure-sandbox-policy' },
  spec: {
    failurePolicy: 'Fail',
    matchConstraints: {
      resourceRules: [{ apiGroups: ['agents.x-k8s.io'], apiVersions: ['*'], operations: ['CREATE', 'UPDATE'], resources: ['sandboxes'] }],
    },
    variables: [
      { name: 'pod', expression: 'object.spec.podTemplate.spec' },
      {
        name: 'containers',
        expression: ['containers', 'initContainers', 'ephemeralContainers'].map(list => `(has(${POD}.${list}) ? ${POD}.${list} : [])`).join(' + '),
      },
    ],
    validations: Object.entries(RULES).map(([message, expression]) => ({ message, expression })),
  },
});
new ApiObject(chart, 'binding', {
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'ValidatingAdmissionPolicyBinding',
  metadata: { name: 'secure-sandbox-binding' },
  spec: {
    policyName: policy.name,
    validationActions: ['Deny'],
    matchResources: {
      namespaceSelector: { matchExpressions: [{ key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: ['kube-system'] }] },
    },
  },
});

app.synth();
