import { AgentSandboxController, type AgentSandboxControllerProps } from '../../src';
import { synth, testApp } from '../helpers';

export const IMAGE = 'registry.example/agent-sandbox-controller:1.0';
export const ROUTER = { image: 'registry.example/agent-sandbox-router:1.0' };

/** What is installed with props besides the least, without the definitions unless asked for. */
export function install(props: Partial<AgentSandboxControllerProps> = {}): any[] {
  return synth(new AgentSandboxController(testApp(), 'agent-sandbox', { image: IMAGE, crds: false, ...props }));
}

/** The objects of a kind. */
export function all(objects: readonly any[], kind: string): any[] {
  return objects.filter(object => object.kind === kind);
}

/** The object of a kind and name. */
export function one(objects: readonly any[], kind: string, name: string): any {
  const found = objects.filter(object => object.kind === kind && object.metadata.name === name);
  if (found.length !== 1) {
    throw new Error(`expected one ${kind} '${name}', found ${found.length}`);
  }
  return found[0];
}

export function controllerPod(props: Partial<AgentSandboxControllerProps> = {}): any {
  return one(install(props), 'Deployment', props.name ?? 'agent-sandbox-controller').spec.template;
}

export function routerPod(router: Partial<AgentSandboxControllerProps['router']> = {}, props: Partial<AgentSandboxControllerProps> = {}): any {
  return one(install({ ...props, router: { ...ROUTER, ...router } }), 'Deployment', 'sandbox-router').spec.template;
}
