export { DEFAULTS, type RuntimeOptions } from './options.js';
export { Runtime } from './runtime.js';
export { COMMAND_ROUTES, COMMON_ROUTES, createServer } from './server.js';
