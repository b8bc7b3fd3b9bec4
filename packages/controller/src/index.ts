export * from './controllers.js';
export * from './flags.js';
export * from './reconcile/definition.js';
export { runManager, type ManagerOptions } from './shell/manager.js';
