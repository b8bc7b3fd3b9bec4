export {
  ContainerAmounts, PodSecurityLevel, SandboxNamespace, SandboxNamespaceContainerLimits, SandboxNamespaceProps, SandboxNamespaceQuota,
} from './sandbox-namespace';
