export { Tenant, TenantPool, TenantProps } from './tenant';
export { podAmounts } from './pod-amounts';
export {
  ContainerAmounts, PodSecurityLevel, SandboxNamespace, SandboxNamespaceContainerLimits, SandboxNamespaceProps, SandboxNamespaceQuota,
} from './sandbox-namespace';
