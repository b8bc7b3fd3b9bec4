import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startChild, type Child } from '../src/process/child.js';
import { startPty } from '../src/process/pty.js';
import { runToEnd, type RunOptions } from '../src/process/run.js';
import { eventually, gone } from './harness.js';

/** More than a reader has in hand, less than the system holds for it: the program ends without waiting for its reader. */
const HELD = 150_000;

describe('the output of a program that has ended', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'run-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const start = (script: string) => startChild({ argv: ['sh', '-c', script], cwd: folder, env: process.env }, { stdin: false });
  const startInTerminal = (script: string) => startPty({ argv: ['sh', '-c', script], cwd: folder, env: { ...process.env, TERM: 'xterm' } }, { cols: 80, rows: 24 });
  const file = (name: string) => eventually(name, () => readFile(join(folder, name), 'utf8').catch(() => undefined));

  /** Takes the first chunk only when `go` is called, and counts all. */
  function slowly(child: Child, options: Partial<RunOptions> = {}) {
    let go!: () => void;
    const first = new Promise<void>(resolve => go = resolve);
    const seen = { bytes: 0, stderr: 0 };
    const end = runToEnd(child, {
      pipeGraceMs: 1,
      ...options,
      onChunk: async (name, chunk) => {
        seen[name === 'stdout' ? 'bytes' : 'stderr'] += chunk.length;
        await first;
      },
    });
    return { seen, end, go };
  }

  test('is there for a reader that comes only then', async () => {
    const child = await start('echo out; echo err >&2');
    await child.exited;
    // Node lets the pipes of a program flow in the turns after its end.
    await new Promise(resolve => setImmediate(() => setImmediate(resolve)));
    const seen = { stdout: '', stderr: '' };
    const end = await runToEnd(child, { onChunk: (name, chunk) => {
      seen[name] += chunk.toString();
    } });
    expect([seen, end]).toEqual([{ stdout: 'out\n', stderr: 'err\n' }, { code: 0, timedOut: false }]);
  });

  test.each<[string, (script: string) => Promise<Child>, number]>([
    ['pipes', start, HELD],
    // The size of one line, which a terminal holds in any case.
    ['a terminal', startInTerminal, 3_000],
  ])('waits in %s for a reader who comes long after the grace', async (_, run, bytes) => {
    const child = await run(`head -c ${bytes} /dev/zero; exit 3`);
    const { seen, end, go } = slowly(child);
    expect(await Promise.race([child.exited, end])).toEqual({ code: 3 });
    // Longer than the grace, and than terminals are left alone.
    await Promise.race([end, new Promise(resolve => setTimeout(resolve, 400))]);
    go();
    expect(await end).toEqual({ code: 3, timedOut: false });
    expect(seen.bytes).toBe(bytes);
  });

  test('of a terminal is whole, however it is cut', async () => {
    const sizes = await Promise.all([1, 2, 3, 4, 5].map(async () => {
      let bytes = 0;
      await runToEnd(await startInTerminal('head -c 100000 /dev/zero'), { onChunk: (_, chunk) => void (bytes += chunk.length) });
      return bytes;
    }));
    expect(sizes).toEqual(sizes.map(() => 100_000));
  });

  test('is read when the loop was busy for longer than the grace', async () => {
    const child = await start(`head -c ${HELD} /dev/zero; head -c 1000 /dev/zero >&2; touch busy-done`);
    const { seen, end, go } = slowly(child);
    go();
    const until = performance.now() + 20_000;
    while (!existsSync(join(folder, 'busy-done')) && performance.now() < until) { /* nothing else runs */ }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
    await end;
    expect(seen).toEqual({ bytes: HELD, stderr: 1000 });
  });

  test('arrives whole while another process keeps the pipes and is silent', async () => {
    const child = await start(`(while [ ! -e silent-go ]; do sleep 0.05; done) & head -c ${HELD} /dev/zero; echo end >&2`);
    const { seen, end, go } = slowly(child);
    await child.exited;
    go();
    expect(await end).toEqual({ code: 0, timedOut: false });
    expect(seen).toEqual({ bytes: HELD, stderr: 4 });
    await writeFile(join(folder, 'silent-go'), '');
  });

  test('arrives while another process goes on writing forever, which is not waited for', async () => {
    const child = await start('echo first; yes & echo $! > writer');
    const chunks: Buffer[] = [];
    const end = await runToEnd(child, { pipeGraceMs: 1, onChunk: (_, chunk) => void (chunks.length < 100 && chunks.push(chunk)) });
    expect(end).toEqual({ code: 0, timedOut: false });
    expect(Buffer.concat(chunks).toString()).toContain('first\n');
    const writer = Number(await file('writer'));
    process.kill(writer, 'SIGKILL');
    await gone(writer);
  });

  test('is not waited for after an abort', async () => {
    const hangUp = new AbortController();
    const child = await start(`head -c ${HELD} /dev/zero`);
    const { end } = slowly(child, { signal: hangUp.signal });
    await child.exited;
    hangUp.abort();
    expect(await end).toEqual({ code: 0, timedOut: false });
  });
});
