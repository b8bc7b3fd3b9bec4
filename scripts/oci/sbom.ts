import { Enums, Models, Serialize, Spec } from '@cyclonedx/cyclonedx-library';
import type { Versions } from './packages';

/** The packages of an image by where they come from. */
export interface Packages {
  readonly debian: Versions;
  readonly pypi: Versions;
  readonly npm: Versions;
}

const TYPES: { readonly [kind in keyof Packages]: (name: string) => string } = {
  debian: name => `deb/debian/${encodeURIComponent(name)}`,
  pypi: name => `pypi/${encodeURIComponent(name.toLowerCase().replace(/[-_.]+/g, '-'))}`,
  npm: name => `npm/${name.split('/').map(encodeURIComponent).join('/')}`,
};

/** A bill of materials in CycloneDX 1.6. The same packages give the same text: it has neither a time nor a serial number. */
export function sbomOf(image: string, version: string, packages: Packages): string {
  const bom = new Models.Bom();
  bom.metadata.component = new Models.Component(Enums.ComponentType.Container, `agent-sandbox-${image}`, { version, bomRef: `agent-sandbox-${image}` });
  for (const kind of ['debian', 'pypi', 'npm'] as const) {
    for (const [name, each] of Object.entries(packages[kind]).sort(([a], [b]) => (a < b ? -1 : 1))) {
      const purl = `pkg:${TYPES[kind](name)}@${encodeURIComponent(each)}`;
      bom.components.add(new Models.Component(Enums.ComponentType.Library, name, { version: each, bomRef: purl, purl: purl as never }));
    }
  }
  const serializer = new Serialize.JsonSerializer(new Serialize.JSON.Normalize.Factory(Spec.Spec1dot6));
  return `${serializer.serialize(bom, { sortLists: true, space: 2 })}\n`;
}
