import { direct } from './direct.js';
import { gateway } from './gateway.js';
import { inCluster } from './in-cluster.js';
import { tunnel } from './tunnel.js';

/** The ways to reach sandboxes. */
export const SandboxConnection = { tunnel, gateway, direct, inCluster } as const;

export type { ConnectionPlan, TlsOptions } from './connection.js';
export type { DirectOptions } from './direct.js';
export type { GatewayOptions } from './gateway.js';
export type { TunnelOptions } from './tunnel.js';
