// `globalTeardown` of a jest configuration.
export { teardown as default } from './run.mjs';
