import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { gzipSync } from 'node:zlib';
import { pack, type Pack } from 'tar-stream';
import type { RootFile } from './files';
import type { Layer } from './layer';

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

/** Writes an OCI image layout with an image as one tar file. */
export async function writeArchive(archive: string, layers: readonly Layer[], { name, config }: ImageOptions): Promise<void> {
  await writeLayout(archive, name, {
    mediaType: MEDIA.config,
    value: {
      created: EPOCH.toISOString(),
      architecture: ARCHITECTURES[process.arch] ?? process.arch,
      os: 'linux',
      config,
      // Of the layers before compression.
      rootfs: { type: 'layers', diff_ids: layers.map(layer => layer.diffId) },
    },
  }, layers.map(layer => ({ ...layer, mediaType: MEDIA.layer })));
}

interface ContentPart {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly content: Layer['content'];
}

/** A file as a part of a layout. */
export function contentPart(mediaType: string, content: Buffer): ContentPart {
  return { ...blob(content), mediaType, size: content.length };
}

/** Writes an OCI image layout as one tar file, with content of any type. Returns the digest of its manifest. */
export async function writeLayout(
  archive: string,
  name: string,
  config: { readonly mediaType: string; readonly value: unknown },
  layers: readonly ContentPart[],
): Promise<string> {
  const configuration = json(config.value);
  const descriptor = (mediaType: string, digest: string, size: number) => ({ mediaType, digest, size });
  const manifest = json({
    schemaVersion: 2, mediaType: MEDIA.manifest,
    config: descriptor(config.mediaType, configuration.digest, configuration.content.length),
    layers: layers.map(layer => descriptor(layer.mediaType, layer.digest, layer.size)),
  });
  const index = json({
    schemaVersion: 2, mediaType: MEDIA.index,
    manifests: [{
      ...descriptor(MEDIA.manifest, manifest.digest, manifest.content.length),
      // containerd imports under the first name, skopeo and podman read the tag from the second.
      annotations: { 'io.containerd.image.name': name, 'org.opencontainers.image.ref.name': name.slice(name.lastIndexOf(':') + 1) },
    }],
  });
  const tar = pack();
  const written = pipeline(tar, fs.createWriteStream(archive));
  await entry(tar, { name: 'oci-layout', mode: 0o644 }, Buffer.from(JSON.stringify({ imageLayoutVersion: '1.0.0' })));
  await entry(tar, { name: 'index.json', mode: 0o644 }, index.content);
  const small = [configuration, manifest].map(({ digest, content }) => ({ digest, content, size: content.length }));
  for (const { digest, content, size } of [...small, ...layers]) {
    const header = { name: `blobs/sha256/${digest.replace('sha256:', '')}`, mode: 0o644, size };
    if (Buffer.isBuffer(content)) {
      await entry(tar, header, content);
    } else {
      // Layers of hundreds of megabytes are never in memory.
      await new Promise<void>((resolve, reject) => {
        const sink = tar.entry({ ...header, mtime: EPOCH }, error => (error ? reject(error) : resolve()));
        fs.createReadStream(content.file).on('error', reject).pipe(sink);
      });
    }
  }
  tar.finalize();
  await written;
  return manifest.digest;
}

/** A layer of files. The same files give the same bytes. */
export async function layerOf(files: readonly RootFile[]): Promise<Layer> {
  const tar = await tarOfFiles(files);
  const compressed = blob(gzipSync(tar));
  return { digest: compressed.digest, size: compressed.content.length, diffId: blob(tar).digest, content: compressed.content };
}

function tarOfFiles(files: readonly RootFile[]): Promise<Buffer> {
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

/** An entry of a tar. */
interface TarEntry {
  readonly name: string;
  /** Undefined for folders. */
  readonly content?: Buffer;
  readonly mode: number;
  readonly uid?: number;
  readonly gid?: number;
}

/** A tar of these entries, in this order. The same entries give the same bytes. */
export async function tarOf(entries: readonly TarEntry[]): Promise<Buffer> {
  const tar = pack();
  const chunks: Buffer[] = [];
  const done = new Promise<void>((resolve, reject) => tar.on('data', chunk => chunks.push(chunk as Buffer)).on('end', () => resolve()).on('error', reject));
  for (const { name, content, mode, uid = 0, gid = 0 } of entries) {
    await entry(tar, { name, mode, uid, gid, type: content ? 'file' : 'directory' }, content ?? Buffer.alloc(0));
  }
  tar.finalize();
  await done;
  return Buffer.concat(chunks);
}

function entry(tar: Pack, header: Parameters<Pack['entry']>[0], content: Buffer): Promise<void> {
  const full = { ...header, size: content.length, mtime: EPOCH };
  return new Promise((resolve, reject) => tar.entry(full, content, error => (error ? reject(error) : resolve())));
}

function json(value: unknown): Blob {
  return blob(Buffer.from(JSON.stringify(value)));
}

function blob(content: Buffer): Blob {
  return { content, digest: `sha256:${createHash('sha256').update(content).digest('hex')}` };
}
