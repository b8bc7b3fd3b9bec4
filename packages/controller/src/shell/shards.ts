import { nameHash } from 'agent-sandbox-api';
import { onAbort } from 'agent-sandbox-kube';
import type { Controller } from './controller.js';

/** The shard of a namespace, from 0: all objects of a namespace belong to the same one. */
export function shardOf(namespace: string, shards: number): number {
  return parseInt(nameHash(namespace), 16) % shards;
}

/** The shards that this process works on. */
export class Shards {
  private readonly owned = new Set<number>();

  /** @param onChange called when this process begins or ends to work on a shard */
  constructor(public readonly count: number, private readonly onChange: (shard: number, owned: boolean) => void) {}

  /** Whether this process works on a namespace. */
  public owns(namespace: string): boolean {
    return this.owned.has(shardOf(namespace, this.count));
  }

  /** Works on a shard until the signal is aborted, and then until its last reconciliation has ended. */
  public async work(shard: number, controllers: readonly Controller[], signal: AbortSignal): Promise<void> {
    const isIn = (namespace: string) => shardOf(namespace, this.count) === shard;
    this.owned.add(shard);
    this.onChange(shard, true);
    controllers.forEach(controller => controller.adopt(isIn));
    await new Promise<void>(resolve => onAbort(signal, resolve));
    this.owned.delete(shard);
    await Promise.all(controllers.map(controller => controller.abandon(isIn)));
    this.onChange(shard, false);
  }
}
