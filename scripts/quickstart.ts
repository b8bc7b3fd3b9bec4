/**
 * Writes the manifests of examples/quickstart to a folder and says what they are; with `--cluster` or `--node`, also brings
 * them to life on a control plane of its own.
 */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { parseArgs, styleText } from 'node:util';
import { parseAllDocuments } from 'yaml';
import { EXAMPLES, REPOSITORY, readManifests, synthesize } from './example-apps';
import { type Manifest, format, rows } from './manifest-table';

const USAGE = `usage: npm run quickstart [-- [--cluster | --node] [--once] [--out FOLDER]]

  --cluster     start a real control plane with a fake node, install the chart, run the controller, apply the manifests,
                and show what becomes of them, until Ctrl-C
  --node        the same on a real node: the programs run as Pods, the sandboxes under gVisor and enforced policies
                (Linux, root, packages; it says which are missing)
  --once        with --cluster or --node: end when all is ready
  --out FOLDER  where to write the manifests (default: quickstart-output)
  --help        this text`;

/** The command line does not match the usage. */
class UsageError extends Error {}

interface Options {
  readonly out: string;
  readonly cluster: boolean;
  readonly node: boolean;
  readonly once: boolean;
  readonly help: boolean;
}

function options(args: string[]): Options {
  try {
    const { values: { out, cluster = false, node = false, once = false, help = false } } = parseArgs({
      args,
      options: { out: { type: 'string' }, cluster: { type: 'boolean' }, node: { type: 'boolean' }, once: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
    });
    if (out === '') {
      throw new UsageError('--out is empty: name a folder');
    }
    if (cluster && node) {
      throw new UsageError('--cluster and --node exclude each other');
    }
    if (once && !cluster && !node) {
      throw new UsageError('--once goes with --cluster or --node');
    }
    return { out: path.resolve(out ?? path.join(REPOSITORY, 'quickstart-output')), cluster, node, once, help };
  } catch (error) {
    throw error instanceof UsageError ? error : new UsageError((error as Error).message.split('. ')[0]);
  }
}

async function main(args: string[]): Promise<void> {
  const started = performance.now();
  const { out, cluster, node, once, help } = options(args);
  if (help) {
    console.log(USAGE);
    return;
  }
  const example = path.join(EXAMPLES, 'quickstart');
  const fresh = fs.mkdtempSync(path.join(os.tmpdir(), 'quickstart-'));
  try {
    synthesize(example, fresh);
    write(fresh, out);
    const files = readManifests(fresh);
    const objects = [...files.values()].flatMap(text => parseAllDocuments(text).map(document => document.toJS() as Manifest));
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    console.log(report(objects, [...files.keys()].map(file => path.join(out, file)), path.join(example, 'main.ts'), out, seconds));
    if (cluster) {
      // Loaded here, so that other commands do not wait for it.
      const { runOnCluster } = await import('./quickstart-cluster.js');
      await runOnCluster({ objects, workDir: fresh, keep: !once, heading });
    }
    if (node) {
      const { runOnNode } = await import('./quickstart-node.js');
      await runOnNode({ objects, workDir: fresh, keep: !once, heading });
    }
  } finally {
    fs.rmSync(fresh, { recursive: true, force: true });
  }
}

function write(from: string, out: string): void {
  try {
    fs.mkdirSync(out, { recursive: true });
    fs.cpSync(from, out, { recursive: true });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === 'EEXIST' || code === 'ENOTDIR' ? 'a file is in the way' : code === 'EACCES' || code === 'EROFS' ? 'no permission to write there' : message;
    throw new Error(`cannot write to ${out}: ${why}; choose another folder with --out`);
  }
}

function heading(text: string): string {
  return process.stdout.isTTY && !process.env.NO_COLOR ? styleText('bold', text) : text;
}

function report(objects: Manifest[], files: string[], source: string, out: string, seconds: string): string {
  const indent = (text: string) => text.split('\n').map(line => (line ? `  ${line}` : line)).join('\n');
  const here = (file: string) => {
    const relative = path.relative(process.cwd(), file) || '.';
    return relative.startsWith('..') ? file : relative;
  };
  const steps: [string, string][] = [
    [here(files[0]), 'read it: this is all that reaches the cluster'],
    [here(source), 'change it and run this again; the image is a placeholder'],
    [`kubectl apply --server-side -f ${here(path.join(REPOSITORY, 'chart', 'files', 'crds'))}`, 'once per cluster'],
    [`kubectl apply -f ${here(out)}`, 'needs a controller of the API, and gVisor on the nodes'],
  ];
  const width = Math.max(...steps.map(([what]) => what.length));
  return [
    `Wrote ${objects.length} objects to ${files.map(here).join(', ')} in ${seconds} s.`,
    '',
    indent(format(rows(objects), heading)),
    '',
    heading('Next'),
    ...steps.map(([what, why]) => `  ${what.padEnd(width)}  ${why}`),
  ].join('\n');
}

main(process.argv.slice(2)).catch(error => {
  console.error(`quickstart: ${(error as Error).message}`);
  if (error instanceof UsageError) {
    console.error(`\n${USAGE}`);
  }
  process.exitCode = error instanceof UsageError ? 2 : 1;
});
