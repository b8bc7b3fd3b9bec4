// `globalSetup` of a jest configuration.
export { setup as default } from './run.mjs';
