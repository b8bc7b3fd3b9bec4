import { existsSync, mkdirSync, mkdtempSync, readlinkSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sweep } from '../src/work-dir.js';

describe('sweep', () => {
  // Process ids end far below this number.
  const NO_PROCESS = 999_999_999;
  const HERE = process.platform === 'linux' ? readlinkSync('/proc/self/ns/pid') : '';
  let root: string;

  beforeEach(() => { root = mkdtempSync(join(tmpdir(), 'testbed-sweep-')); });
  afterEach(() => rmSync(root, { recursive: true }));
  const folder = (name: string, notes?: object) => {
    const dir = join(root, name);
    mkdirSync(dir);
    if (notes) {
      writeFileSync(join(dir, 'processes.json'), JSON.stringify(notes));
    }
    return dir;
  };

  test('removes the folder of a supervisor that is gone', async () => {
    const dir = folder('agent-sandbox-testbed-a', { supervisor: NO_PROCESS, children: { etcd: NO_PROCESS }, pidNamespace: HERE });
    expect(await sweep([root])).toEqual([dir]);
    expect(existsSync(dir)).toBe(false);
  });

  test('does not kill a process that has got the number of a child', async () => {
    folder('agent-sandbox-testbed-a', { supervisor: NO_PROCESS, children: { etcd: process.pid }, pidNamespace: HERE });
    await sweep([root]);
    expect(process.exitCode).toBeUndefined();
  });

  test('leaves alone what runs in another container, what is just starting, and what is not ours', async () => {
    folder('agent-sandbox-testbed-a', { supervisor: NO_PROCESS, children: {}, pidNamespace: 'pid:[1]' });
    folder('agent-sandbox-testbed-b');
    folder('other', { supervisor: NO_PROCESS, children: {}, pidNamespace: HERE });
    expect(await sweep([root])).toEqual([]);
  });

  test('removes what never got to start', async () => {
    const dir = folder('agent-sandbox-testbed-a');
    utimesSync(dir, 0, 0);
    expect(await sweep([root])).toEqual([dir]);
  });
});
