import { mkdir, stat } from 'node:fs/promises';
import { errnoOf } from '../errors.js';
import type { Location } from './tree.js';

/** Makes a directory; not an error if it exists. Throws EEXIST when there is something else. */
export async function makeDirectory({ directory, name }: Location, mode: number): Promise<void> {
  try {
    if (name !== '') {
      await mkdir(`${directory}/${name}`, mode);
    }
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST' || !(await stat(`${directory}/${name}`)).isDirectory()) {
      throw error;
    }
  }
}
