export * from './types.gen.js';
export * from './vocabulary.gen.js';
