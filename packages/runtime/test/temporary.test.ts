import { mkdir, mkdtemp, readdir, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { pino } from 'pino';
import { ownTemporaryFiles, sweepTemporaryFiles, temporaryName } from '../src/files/temporary.js';

test('what a killed runtime left half-written is removed at the next start, and nothing else', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sweep-'));
  const [base, outside] = [join(folder, 'base'), join(folder, 'outside')];
  try {
    await mkdir(join(base, 'a/b'), { recursive: true });
    await mkdir(outside);
    ownTemporaryFiles(1);
    const other = temporaryName();
    const foreign = temporaryName();
    ownTemporaryFiles(2);
    const [own, tree, fresh, linked] = [temporaryName(), temporaryName(), temporaryName(), temporaryName()];
    await writeFile(join(base, own), '');
    await mkdir(join(base, 'a', tree));
    await writeFile(join(base, 'a', tree, 'file'), '');
    await writeFile(join(base, 'a/b/keep'), '');
    await writeFile(join(base, 'a/b', other), '');
    await writeFile(join(base, 'a/b', foreign), '');
    const now = Date.now();
    await utimes(join(base, 'a/b', foreign), new Date(now - 48 * 3600_000), new Date(now - 48 * 3600_000));
    await writeFile(join(base, fresh), '');
    await utimes(join(base, fresh), new Date(now + 60_000), new Date(now + 60_000));
    await writeFile(join(outside, linked), '');
    await symlink(outside, join(base, 'link'));
    expect(await sweepTemporaryFiles(base, now + 1000, pino({ level: 'silent' }))).toBe(3);
    expect([(await readdir(base)).sort(), await readdir(join(base, 'a')), (await readdir(join(base, 'a/b'))).sort()]).toEqual([[fresh, 'a', 'link'].sort(), ['b'], [other, 'keep'].sort()]);
    expect(await readdir(outside)).toEqual([linked]);
  } finally {
    ownTemporaryFiles(0);
    await rm(folder, { recursive: true });
  }
});
