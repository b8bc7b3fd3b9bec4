export { AgentSandboxController } from './agent-sandbox-controller';
export { ControllerFlagProps } from './controller-flags.gen';
export { ControllerImplementation } from './implementation';
export { ControllerLogLevel } from './log-level';
export { MonitoringProps } from './monitoring';
export { AgentSandboxControllerProps } from './props';
export { RouterFlagProps } from './router-flags.gen';
export { RouterGatewayProps, RouterProps } from './router-props';
export { InstalledProgramProps } from './workload';
