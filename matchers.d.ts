export * from './lib/src/testing/matchers';
