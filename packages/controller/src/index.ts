export * from './controllers.js';
export * from './flags.js';
export * from './shell/definition.js';
export { runManager, type ManagerOptions } from './shell/manager.js';
