import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { RootFile } from './files';

/** What an image says about itself. */
export interface ImageOptions {
  /** Full reference with registry and tag, such as `docker.io/library/agent-sandbox-router:1.0`. */
  readonly name: string;
  readonly config: { readonly [field: string]: unknown };
}

/** The same files give the same bytes. */
const EPOCH = new Date(0);
const ARCHITECTURES: { readonly [arch: string]: string } = { x64: 'amd64', arm64: 'arm64' };

const MEDIA = {
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
  config: 'application/vnd.oci.image.config.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  index: 'application/vnd.oci.image.index.v1+json',
};

interface Blob {
  readonly digest: string;
  readonly content: Buffer;
}

/** Writes an OCI image layout as one tar file. Each list of files is a layer. */
export async function writeArchive(archive: string, layers: readonly (readonly RootFile[])[], { name, config }: ImageOptions): Promise<void> {
  const tars = await Promise.all(layers.map(layerOf));
  const compressed = tars.map(tar => blob(gzipSync(tar)));
  const configuration = json({
    created: EPOCH.toISOString(),
    architecture: ARCHITECTURES[process.arch] ?? process.arch,
    os: 'linux',
    config,
    // Of the layers before compression.
    rootfs: { type: 'layers', diff_ids: tars.map(tar => blob(tar).digest) },
  });
  const descriptor = (mediaType: string, { digest, content }: Blob) => ({ mediaType, digest, size: content.length });
  const manifest = json({
    schemaVersion: 2, mediaType: MEDIA.manifest,
    config: descriptor(MEDIA.config, configuration),
    layers: compressed.map(layer => descriptor(MEDIA.layer, layer)),
  });
  const index = json({
    schemaVersion: 2, mediaType: MEDIA.index,
    manifests: [{
      ...descriptor(MEDIA.manifest, manifest),
      // containerd imports under the first name, skopeo and podman read the tag from the second.
      annotations: { 'io.containerd.image.name': name, 'org.opencontainers.image.ref.name': name.slice(name.lastIndexOf(':') + 1) },
    }],
  });
  const files = new Map([
    ['oci-layout', Buffer.from(JSON.stringify({ imageLayoutVersion: '1.0.0' }))],
    ['index.json', index.content],
    ...[configuration, manifest, ...compressed].map(({ digest, content }) => [`blobs/sha256/${digest.replace('sha256:', '')}`, content] as const),
  ]);
  fs.writeFileSync(archive, await tarOf([...files].map(([file, content]) => ({ name: file, content, mode: 0o644 }))));
}

function layerOf(files: readonly RootFile[]): Promise<Buffer> {
  const entries = new Map<string, TarEntry>();
  const add = (entry: TarEntry) => {
    // Folders first, as unpacking needs them.
    const parents = entry.name.split('/').slice(0, -1).map((_, index, parts) => parts.slice(0, index + 1).join('/'));
    parents.filter(parent => !entries.has(parent)).forEach(parent => entries.set(parent, { name: parent, mode: 0o755 }));
    entries.set(entry.name, entry);
  };
  for (const entry of files) {
    const name = path.posix.normalize(entry.path).slice(1);
    if ('source' in entry) {
      add({ name, content: fs.readFileSync(entry.source), mode: fs.statSync(entry.source).mode & 0o755 });
    } else {
      const { content, mode = 0o644, uid, gid } = entry;
      add({ name, content: content === undefined ? undefined : Buffer.from(content), mode, uid, gid });
    }
  }
  return tarOf([...entries.values()].sort((a, b) => (a.name < b.name ? -1 : 1)));
}

interface TarEntry {
  readonly name: string;
  /** Undefined for folders. */
  readonly content?: Buffer;
  readonly mode: number;
  readonly uid?: number;
  readonly gid?: number;
}

async function tarOf(entries: readonly TarEntry[]): Promise<Buffer> {
  const tar = pack();
  const chunks: Buffer[] = [];
  const done = new Promise<void>((resolve, reject) => tar.on('data', chunk => chunks.push(chunk as Buffer)).on('end', () => resolve()).on('error', reject));
  for (const { name, content, mode, uid = 0, gid = 0 } of entries) {
    await new Promise<void>((resolve, reject) => tar.entry(
      { name, mode, uid, gid, mtime: EPOCH, type: content ? 'file' : 'directory' }, content ?? Buffer.alloc(0), error => (error ? reject(error) : resolve()),
    ));
  }
  tar.finalize();
  await done;
  return Buffer.concat(chunks);
}

function json(value: unknown): Blob {
  return blob(Buffer.from(JSON.stringify(value)));
}

function blob(content: Buffer): Blob {
  return { content, digest: `sha256:${createHash('sha256').update(content).digest('hex')}` };
}
