export * from './build-info.js';
export * from './command-line.js';
export * from './duration.js';
export * from './ending.js';
export * from './endpoints.js';
export * from './flag-error.js';
export * from './flag-values.js';
export * from './listen.js';
