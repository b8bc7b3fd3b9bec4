export * from './core-kinds.js';
export * from './object.js';
export * from './resource.js';
export * from './resources.gen.js';
export * from './semantics.gen.js';
export * from './types.gen.js';
export * from './vocabulary.gen.js';
export * from './words.js';
