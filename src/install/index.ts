export { AgentSandboxController } from './agent-sandbox-controller';
export { ControllerFlagProps, ControllerLogLevel } from './controller-flags';
export { ControllerImplementation } from './implementation';
export { MonitoringProps } from './monitoring';
export { AgentSandboxControllerProps } from './props';
export { RouterGatewayProps, RouterProps } from './router-props';
export { InstalledProgramProps } from './workload';
