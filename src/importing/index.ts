export { importedProgram, ManifestImport } from './manifest-import';
