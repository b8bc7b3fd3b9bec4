import * as fs from 'node:fs';
import * as path from 'node:path';
import { gzipSync } from 'node:zlib';
import { tarOf } from '../oci/archive';

/** A folder as a compressed tar, below a folder of the given name. The same files give the same bytes. */
export async function packFolder(folder: string, name: string): Promise<Buffer> {
  const files = fs.readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(file => fs.statSync(path.join(folder, file)).isFile()).sort();
  return gzipSync(await tarOf(files.map(file => ({
    name: path.posix.join(name, file.split(path.sep).join('/')), mode: 0o644, content: fs.readFileSync(path.join(folder, file)),
  }))), { level: 9 });
}
