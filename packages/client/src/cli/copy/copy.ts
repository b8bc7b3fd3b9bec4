import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import type { SandboxClient } from '../../client.js';
import { SandboxInputError } from '../../errors.js';
import { type Streams, deliver } from '../output.js';
import { FileCopy } from './files.js';
import { entriesBelow } from './local-source.js';
import { type Attributes, LocalTree, writeWhole } from './local-tree.js';
import { type Place, nameOf, placeOf } from './place.js';
import { NoProgramsError, ProgramCopy } from './programs.js';
import { CopyReport, type CopyResult } from './report.js';

export interface CopyOptions {
  /** Whether directories are copied, with all below them. @default false */
  readonly recursive?: boolean;
  /** Called with a line of text while it goes on. @default - no callback */
  readonly onProgress?: (text: string) => void;
}

/**
 * Copies between this machine and a sandbox; one side is `claim:path`, `-` is stdin or stdout. As with cp, a target that is a directory gets
 * the source inside it. Links are copied as links and never followed, except for the source itself.
 */
export async function copyFiles(
  client: SandboxClient, from: string, to: string, options: CopyOptions, streams: Streams, signal: AbortSignal,
): Promise<CopyResult> {
  const [source, target] = [placeOf(from), placeOf(to)];
  if ((source.claim === undefined) === (target.claim === undefined)) {
    throw new SandboxInputError('one side of a copy is in a sandbox', { remedy: 'write it as claim:path' });
  }
  const upload = source.claim === undefined ? await uploadOf(source, target, options, streams) : undefined;
  const sandbox = await client.get((source.claim ?? target.claim)!, { signal });
  const act = async (make: (report: CopyReport) => FileCopy | ProgramCopy) => {
    const report = new CopyReport(options.onProgress);
    const copy = make(report);
    await (upload ? upload(copy, report) : download(copy, source, target, options, streams, signal, report));
    return report.result();
  };
  try {
    return await act(report => new ProgramCopy(sandbox, report, signal));
  } catch (error) {
    if (!(error instanceof NoProgramsError)) {
      throw error;
    }
    return act(report => new FileCopy(sandbox.files, report, signal));
  }
}

/** Looks at the source before anything is asked of the sandbox. */
async function uploadOf(
  { path: from }: Place, { path: to }: Place, { recursive }: CopyOptions, { stdin }: Streams,
): Promise<(copy: FileCopy | ProgramCopy, report: CopyReport) => Promise<void>> {
  if (from === '-') {
    if (to === '' || to.endsWith('/')) {
      throw new SandboxInputError('what comes on stdin has no name', { remedy: 'name the file: claim:path' });
    }
    return async (copy, report) => {
      try {
        await copy.sendFile(counted(stdin, report), to, 'stdin', {});
      } finally {
        // Open, it would keep this program alive.
        stdin.destroy();
      }
    };
  }
  const source = await stat(from);
  const { mode, size } = source;
  if (!source.isDirectory()) {
    if (!source.isFile()) {
      throw new SandboxInputError(`"${from}" is neither a file nor a directory`, { remedy: 'pipe it: cat it and copy -' });
    }
    return async (copy, report) => {
      report.total = size;
      report.begin(from);
      const content = counted(createReadStream(from, size > 0 ? { end: size - 1 } : {}), report);
      await copy.sendFile(content, to, basename(from), { mode: mode & 0o777, size });
    };
  }
  if (!recursive) {
    throw new SandboxInputError(`"${from}" is a directory`, { remedy: 'give --recursive' });
  }
  return async (copy, report) => {
    const entries = await entriesBelow(resolve(from), report);
    report.total = entries.reduce((sum, entry) => sum + (entry.type === 'file' ? entry.size : 0), 0);
    await copy.sendTree(entries, to, nameOf(from));
  };
}

async function download(
  copy: FileCopy | ProgramCopy, { path: from }: Place, { path: to }: Place, { recursive = false }: CopyOptions, { stdout }: Streams,
  signal: AbortSignal, report: CopyReport,
): Promise<void> {
  if (to === '-') {
    await copy.stream(from, async content => {
      await deliver(content, stdout, signal);
      report.done();
    });
    return;
  }
  const isDirectory = await stat(to).then(found => found.isDirectory(), () => false);
  await copy.receive(from, recursive, {
    file: async (content: Readable, header?: { mode?: number; mtime?: Date }) => {
      const path = isDirectory || to.endsWith('/') ? join(to, nameOf(from)) : to;
      if (to.endsWith('/')) {
        await LocalTree.open(dirname(path), report);
      }
      const attributes: Attributes = header ? { mode: header.mode, modified: header.mtime } : {};
      await writeWhole(path, content, attributes, report);
      report.done();
    },
    directory: () => LocalTree.open(isDirectory ? join(to, nameOf(from)) : to, report),
  });
}

function counted(content: Readable, report: CopyReport): Readable {
  return Readable.from((async function* () {
    for await (const chunk of content) {
      report.moved(chunk.length);
      yield chunk;
    }
  })(), { objectMode: false });
}
