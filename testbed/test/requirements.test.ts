import { mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { COMMANDS, findCommand, missingForNode } from '../src/node/requirements.js';

/** A PATH on which every command that nodes are made of is found: those of the machine where it has them, else a program that does nothing. */
function pathWith(unshare: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'commands-'));
  for (const name of Object.keys(COMMANDS) as Array<keyof typeof COMMANDS>) {
    const file = join(folder, name);
    const found = name === 'unshare' ? undefined : findCommand(name);
    if (found) {
      symlinkSync(found, file);
    } else {
      writeFileSync(file, name === 'unshare' ? unshare : '#!/bin/sh\n', { mode: 0o755 });
    }
  }
  return folder;
}

const rootOnLinux = process.platform === 'linux' && process.getuid?.() === 0 && missingForNode() === undefined;

(rootOnLinux ? describe : describe.skip)(`a machine for nodes${rootOnLinux ? '' : ' (this one is none)'}`, () => {
  test('a kernel that refuses what nodes do is a reason, in its own words', () => {
    const PATH = pathWith('#!/bin/sh\necho "unshare: unshare failed: Operation not permitted" >&2\nexit 1\n');
    expect(missingForNode({ ...process.env, PATH })).toBe(
      'a real node needs root that may make namespaces, mounts, interfaces, sets of addresses and cgroups; on this machine unshare: unshare failed: Operation not permitted',
    );
  });
});
