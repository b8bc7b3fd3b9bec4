export { ADMISSION_RULES } from './admission-rules';
export { AdmissionAction, AdmissionEngine, SandboxAdmissionPolicies, SandboxAdmissionPoliciesProps } from './sandbox-admission-policies';
