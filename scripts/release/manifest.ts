import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { Artifact } from './artifacts';

/** A file of a release, as its manifest describes it. */
export interface Described extends Artifact {
  readonly bytes: number;
  readonly sha256: string;
}

export function sha256(file: string): string {
  return createHash('sha256').update(fs.readFileSync(file)).digest('hex');
}

export function described(outdir: string, artifacts: readonly Artifact[]): Described[] {
  return artifacts.map(each => {
    const file = path.join(outdir, each.file);
    return { ...each, file: each.file.split(path.sep).join('/'), bytes: fs.statSync(file).size, sha256: sha256(file) };
  }).sort((a, b) => (a.file < b.file ? -1 : 1));
}

export interface Origin {
  readonly version: string;
  readonly repository: string;
  readonly commit: string;
  readonly lockFile: string;
  readonly groups: readonly string[];
}

/**
 * Where the files come from, as an in-toto statement with SLSA provenance. It is not signed and names no builder that would vouch for it: the
 * workflow that publishes signs. It has no times, so that the same tree gives the same bytes.
 */
export function provenance(files: readonly Described[], { version, repository, commit, lockFile, groups }: Origin): object {
  return {
    _type: 'https://in-toto.io/Statement/v1',
    subject: files.map(({ file, sha256: digest }) => ({ name: file, digest: { sha256: digest } })),
    predicateType: 'https://slsa.dev/provenance/v1',
    predicate: {
      buildDefinition: {
        buildType: `${repository}/blob/main/scripts/release.ts`,
        externalParameters: { version, groups },
        internalParameters: { node: process.versions.node, platform: `${process.platform}-${process.arch}` },
        resolvedDependencies: [
          { uri: `git+${repository}`, digest: { gitCommit: commit } },
          { uri: `${repository}/blob/${commit}/package-lock.json`, digest: { sha256: lockFile } },
        ],
      },
      runDetails: { builder: { id: `${repository}/blob/main/.github/workflows/release.yml` } },
    },
  };
}

/** A table of the files: name, bytes, where they go. */
export function table(files: readonly Described[]): string {
  const rows = [['file', 'bytes', 'goes to'], ...files.map(({ file, bytes, destination, reference }) => [file, String(bytes), reference ?? destination])];
  const widths = [0, 1].map(column => Math.max(...rows.map(row => row[column].length)));
  return rows.map(([file, bytes, goes]) => `${file.padEnd(widths[0])}  ${bytes.padStart(widths[1])}  ${goes}`).join('\n');
}
