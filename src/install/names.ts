import { ROUTER } from '../generated/vocabulary.gen';

/** Default namespace of controller and router. @internal */
export const DEFAULT_NAMESPACE: string = ROUTER.namespace;

/** Default name of the controller's objects. @internal */
export const CONTROLLER = 'agent-sandbox-controller';

/** Name of the router's objects, and their label `app`. @internal */
export const ROUTER_NAME: string = ROUTER.labels.app;

/** Name of the router's Service: clients look for it. @internal */
export const ROUTER_SERVICE: string = ROUTER.service;

/** The ConfigMap that the controller reads, and its folder in the container. @internal */
export const CONFIG = { configMap: 'agent-sandbox-config', key: 'allowed-label-domains', folder: '/etc/sandbox-config' } as const;

/** Ports of the controller, by their names in the Pod. @internal */
export const CONTROLLER_PORTS = { metrics: 8080, healthz: 8081 } as const;

/** Labels that tell the Pods of a component from all others. @internal */
export function selectorLabels(name: string, component: string): { [key: string]: string } {
  return { 'app.kubernetes.io/name': name, 'app.kubernetes.io/component': component };
}
