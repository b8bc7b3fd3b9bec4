import { createHash, type Hash } from 'node:crypto';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { Transform, type TransformCallback } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';

/** A layer of an image: its compressed bytes, in memory or in a file. */
export interface Layer {
  /** Of the compressed bytes. */
  readonly digest: string;
  readonly size: number;
  /** Digest before compression. */
  readonly diffId: string;
  readonly content: Buffer | { readonly file: string };
}

/** A layer that is kept, with what its maker has noted about it. */
export interface CachedLayer<N> {
  readonly layer: Layer;
  readonly notes: N;
}

/** Where layers are kept that take long to make. */
const CACHE = process.env.AGENT_SANDBOX_IMAGE_CACHE ?? path.join(os.homedir(), '.cache', 'cdk8s-agent-sandbox', 'images');

/** Whether a layer is there already. */
export function isCached(key: unknown): boolean {
  return fs.existsSync(path.join(folderOf(key), 'layer.json'));
}

/**
 * A layer that is made once for each `key`, which has to say everything that its content depends on. `make` writes a tar file to the path
 * that it gets. Two processes that make the same layer do not disturb each other.
 */
export async function cachedLayer<N>(key: unknown, make: (tar: string, work: string) => Promise<N>): Promise<CachedLayer<N>> {
  const folder = folderOf(key);
  if (!isCached(key)) {
    fs.mkdirSync(CACHE, { recursive: true });
    const work = fs.mkdtempSync(path.join(CACHE, 'making-'));
    try {
      const tar = path.join(work, 'layer.tar');
      const notes = await make(tar, work);
      const made = path.join(work, 'made');
      fs.mkdirSync(made);
      const layer = await compress(tar, path.join(made, 'layer.tar.gz'));
      fs.writeFileSync(path.join(made, 'layer.json'), JSON.stringify({ key, notes, ...layer }));
      try {
        fs.renameSync(made, folder);
      } catch (error) {
        if (!isCached(key)) {
          throw error;
        }
      }
    } finally {
      fs.rmSync(work, { recursive: true, force: true });
    }
  }
  const { notes, digest, size, diffId } = JSON.parse(fs.readFileSync(path.join(folder, 'layer.json'), 'utf8'));
  return { notes, layer: { digest, size, diffId, content: { file: path.join(folder, 'layer.tar.gz') } } };
}

function folderOf(key: unknown): string {
  return path.join(CACHE, createHash('sha256').update(JSON.stringify(key)).digest('hex').slice(0, 32));
}

async function compress(tar: string, target: string): Promise<{ digest: string; size: number; diffId: string }> {
  const [before, after] = [createHash('sha256'), createHash('sha256')];
  await pipeline(fs.createReadStream(tar), hashing(before), createGzip({ level: 6 }), hashing(after), fs.createWriteStream(target));
  return { digest: `sha256:${after.digest('hex')}`, size: fs.statSync(target).size, diffId: `sha256:${before.digest('hex')}` };
}

function hashing(hash: Hash): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, done: TransformCallback) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
}
