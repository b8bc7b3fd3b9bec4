export * from './auth/scoped-token.js';
export * from './flags.js';
