export { Tenant, TenantPool, TenantProps } from './tenant';
export {
  ContainerAmounts, PodSecurityLevel, SandboxNamespace, SandboxNamespaceContainerLimits, SandboxNamespaceProps, SandboxNamespaceQuota,
} from './sandbox-namespace';
