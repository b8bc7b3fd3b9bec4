import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { bundle, bundleFiles, PROGRAMS } from '../scripts/bundle';

test.each(Object.keys(PROGRAMS))('the bundle of the %s is a program that says its version', async program => {
  const dir = mkdtempSync(join(tmpdir(), 'bundle-'));
  try {
    expect(execFileSync(process.execPath, [await bundle(program, dir), '--version'], { encoding: 'utf8' })).toMatch(/^agent-sandbox\S* \S+\n$/);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

describe('the bundle of the controller', () => {
  const dir = mkdtempSync(join(tmpdir(), 'bundle-'));
  let program: string;
  const read = (file: string) => readFileSync(join(dir, file), 'utf8');
  /** Files that a file loads, itself first: what it imports dynamically is left out. */
  const loaded = (file: string, seen: string[] = []): string[] => {
    if (!seen.includes(file)) {
      seen.push(file);
      for (const [, name] of read(file).matchAll(/(?:from|import)\s*"(\.[^"]+)"/g)) {
        loaded(join(dirname(file), name), seen);
      }
    }
    return seen;
  };
  const bytes = (files: readonly string[]) => files.reduce((sum, file) => sum + read(file).length, 0);

  beforeAll(async () => program = await bundle('controller', dir));
  afterAll(() => rmSync(dir, { recursive: true }));

  test('names all its files', () => {
    const named = bundleFiles('controller', dir);
    expect(named[0]).toBe(relative(dir, program));
    expect(named).toEqual(expect.arrayContaining(named.flatMap(file => loaded(file))));
  });

  test('loads no more than the flags for --version and --help', () => {
    expect(bytes(loaded('controller.mjs'))).toBeLessThan(200_000);
  });

  test('loads neither tracing nor credential plugins when it starts', () => {
    const run = bundleFiles('controller', dir).find(file => /\/run-\w+\.mjs$/.test(file))!;
    const text = loaded(run).map(read).join('\n');
    expect(text).toContain('resourceVersion');
    expect(text).not.toMatch(/OTLPTraceExporter|applyToHTTPSOptions\(|oauth4webapi/);
    expect(bytes(loaded(run))).toBeLessThan(1_500_000);
  });
});
