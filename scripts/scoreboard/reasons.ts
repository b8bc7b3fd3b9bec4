/** A finding of a scanner that stays with the presets, and why. Its remedy is the prop with which the strict variant meets it. */
export interface Reason {
  readonly why: string;
  readonly remedy: string;
}

const USER: Reason = {
  why: 'The image says which user its program has, and its files belong to that user. `runAsNonRoot` is set, and with gVisor or Kata no user of the sandbox is one of the node.',
  remedy: '`runAsUser: 10001`, and `securityContext: { runAsGroup: 10001 }`',
};
const ROOT: Reason = {
  why: 'Agents install packages and write next to their programs. The file system goes away with the Pod, and none of it is the node\'s.',
  remedy: '`readOnlyRoot: true`, with `writablePaths`',
};
const PULL: Reason = {
  why: 'An image by digest is always the same, and a warm pool should not ask the registry for each member.',
  remedy: '`imagePullPolicy: ImagePullPolicy.ALWAYS`',
};
const PROBES: Reason = {
  why: 'Only the image knows how its program is asked; a wrong probe ends sandboxes that work.',
  remedy: '`readiness` and `liveness`',
};
const STORAGE: Reason = {
  why: 'How much a sandbox writes differs by a thousand from one use to another. `SandboxNamespace` has limits for containers that say nothing.',
  remedy: '`ephemeralStorage`',
};

/** By scanner and rule. */
export const REASONS: Readonly<Record<string, Reason>> = {
  'checkov CKV_K8S_8': PROBES,
  'checkov CKV_K8S_9': PROBES,
  'checkov CKV_K8S_22': ROOT,
  'checkov CKV_K8S_40': USER,
  'kube-score container-security-context-user-group-id': USER,
  'kube-score container-security-context-readonlyrootfilesystem': ROOT,
  'kube-score container-image-pull-policy': PULL,
  'kube-score container-ephemeral-storage-request-and-limit': STORAGE,
};
