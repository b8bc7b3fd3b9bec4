import type { KubeObject } from '../../../testbed/src/index.js';

export const SANDBOX = { apiVersion: 'agents.x-k8s.io/v1beta1', kind: 'Sandbox' } as const;
export const CLAIM = { apiVersion: 'extensions.agents.x-k8s.io/v1beta1', kind: 'SandboxClaim' } as const;

function condition(object: KubeObject | undefined, type: string): { status: string; message?: string } | undefined {
  return object?.status?.conditions?.find((each: { type: string }) => each.type === type);
}

/** Whether a Pod, a Sandbox or a claim is Ready. */
export function isReady(object: KubeObject | undefined): boolean {
  return condition(object, 'Ready')?.status === 'True';
}

/** What the condition Ready says; undefined if there is none, or if it is true. */
export function readyMessage(object: KubeObject | undefined): string | undefined {
  return isReady(object) ? undefined : condition(object, 'Ready')?.message;
}
