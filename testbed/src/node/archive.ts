import { createHash } from 'node:crypto';
import { chmod, link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { run } from '../processes.js';

/** An image of static programs: it has one layer. */
export interface StaticImage {
  /** Full name with tag, as pods write it. */
  readonly name: string;
  /** Files of this machine by their path in the image; all are executable. */
  readonly programs: Readonly<Record<string, string>>;
  /** Texts by their path in the image. @default - none */
  readonly texts?: Readonly<Record<string, string>>;
  /** Fields of the image configuration: `Entrypoint`, `User`, `Env`. */
  readonly config: Readonly<Record<string, unknown>>;
}

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

/** Writes an image as an OCI archive that `ctr images import` takes, and returns its path. */
export async function writeArchive(image: StaticImage, dir: string): Promise<string> {
  const work = join(dir, image.name.replace(/[^a-z0-9.-]+/g, '-'));
  const root = join(work, 'root');
  const layout = join(work, 'layout');
  await mkdir(join(root, 'tmp'), { recursive: true });
  // The mode that mkdir takes is cut by the mask of this process.
  await chmod(join(root, 'tmp'), 0o1777);
  await mkdir(join(layout, 'blobs', 'sha256'), { recursive: true });
  const copies = new Map<string, string>();
  for (const [path, source] of Object.entries(image.programs)) {
    const target = join(root, path);
    const copy = copies.get(source);
    if (copy) {
      // busybox is one file under many names.
      await link(copy, target);
    } else {
      await put(target, await readFile(source), 0o755);
      copies.set(source, target);
    }
  }
  for (const [path, text] of Object.entries(image.texts ?? {})) {
    await put(join(root, path), text, 0o644);
  }
  const layerFile = join(work, 'layer.tar');
  await run('tar', ['--create', '--file', layerFile, '--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner', '-C', root, '.']);

  const blob = async (content: Buffer | string, mediaType: string) => {
    const bytes = Buffer.from(content as string);
    const hash = createHash('sha256').update(bytes).digest('hex');
    await writeFile(join(layout, 'blobs', 'sha256', hash), bytes);
    return { mediaType, digest: `sha256:${hash}`, size: bytes.length };
  };
  const layer = await blob(await readFile(layerFile), 'application/vnd.oci.image.layer.v1.tar');
  const config = await blob(JSON.stringify({
    architecture: ARCHITECTURES[process.arch] ?? process.arch, os: 'linux', config: image.config, rootfs: { type: 'layers', diff_ids: [layer.digest] },
  }), 'application/vnd.oci.image.config.v1+json');
  const manifest = await blob(JSON.stringify({
    schemaVersion: 2, mediaType: 'application/vnd.oci.image.manifest.v1+json', config, layers: [layer],
  }), 'application/vnd.oci.image.manifest.v1+json');
  // containerd names the image by its own annotation; the standard one holds a tag only.
  const annotations = { 'io.containerd.image.name': image.name, 'org.opencontainers.image.ref.name': image.name.split(':').at(-1) };
  await writeFile(join(layout, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [{ ...manifest, annotations }] }));
  await writeFile(join(layout, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
  const archive = `${work}.tar`;
  await run('tar', ['--create', '--file', archive, '-C', layout, 'oci-layout', 'index.json', 'blobs']);
  await rm(work, { recursive: true });
  return archive;
}

async function put(path: string, content: Buffer | string, mode: number): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content, { mode });
}
