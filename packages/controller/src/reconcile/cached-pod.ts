import type { ObjectMeta, PodStatus } from 'agent-sandbox-api';
import type { PodProblem } from './pod-problem.js';

/** A Pod as the cache holds it: without its spec, apart from the node. */
export interface CachedPod {
  apiVersion: 'v1';
  kind: 'Pod';
  metadata: ObjectMeta;
  spec?: { nodeName?: string };
  status?: PodStatus;
  /** Why it does not run or is not ready; computed when it enters the cache. */
  problem?: PodProblem;
}
