import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { extract, pack, type Header } from 'tar-stream';
import {
  SandboxClosedError, SandboxError, SandboxInputError, SandboxPathNotFoundError, SandboxRequestError, SandboxUnsupportedError,
} from '../../errors.js';
import type { Process } from '../../process.js';
import type { Sandbox } from '../../sandbox.js';
import { harmless } from '../output.js';
import { type LocalEntry, contentOf } from './local-source.js';
import { EntryError, type LocalTree, reasonOf } from './local-tree.js';
import { argumentOf } from './place.js';
import type { CopyReport } from './report.js';

/** Exit codes of the scripts; the programs in them do not use these. */
const CODE = { notFound: 201, isDirectory: 202, incomplete: 203, isFile: 204 } as const;

/** `$1` target, `$2` name of the source, `$3` mode, `$4` size or nothing. Writes a file beside the target and renames it. */
const RECEIVE_FILE = `t=$1
case $t in */) mkdir -p "$t" && t=$t$2 ;; *) if [ -d "$t" ]; then t=$t/$2; fi ;; esac
d=\${t%/*}; [ "$d" = "$t" ] && d=.
mkdir -p "\${d:-/}" || exit 1
u=\${d:-}/.agent-sandbox-cp-$$
trap 'rm -f "$u"' EXIT
cat > "$u" || exit 1
[ -z "$4" ] || [ "$(wc -c < "$u")" -eq "$4" ] || exit ${CODE.incomplete}
chmod "$3" "$u" && mv -f "$u" "$t"`;

/** `$1` target, `$2` name of the source, or nothing for its contents. Names each entry before it is written. */
const RECEIVE_TREE = `t=$1
case $t in */) t=$t$2 ;; *) if [ -d "$t" ]; then t=$t/$2; fi ;; esac
[ ! -e "$t" ] || [ -d "$t" ] || exit ${CODE.isFile}
command -v tar > /dev/null || exit 127
mkdir -p "$t" && cd "$t" && exec tar -xvpof -`;

/** `$1` source, `$2` is 1 if directories are wanted. */
const SEND = `if [ -d "$1" ]; then
  [ "$2" = 1 ] || exit ${CODE.isDirectory}
  command -v tar > /dev/null || exit 127
  cd "$1" && exec tar -cf - .
fi
[ -e "$1" ] || exit ${CODE.notFound}
command -v tar > /dev/null || exit 127
d=\${1%/*}; [ "$d" = "$1" ] && d=.
cd "\${d:-/}" && exec tar -chf - "./\${1##*/}"`;

const SEND_PLAIN = `[ ! -d "$1" ] || exit ${CODE.isDirectory}
[ -e "$1" ] || exit ${CODE.notFound}
exec cat "$1"`;

/** The sandbox has no shell or tar, or its runtime starts no programs. Nothing was copied. */
export class NoProgramsError extends Error {}

/** Copies by programs of the sandbox (`sh`, `tar`), which keeps modes and links and reaches every path. */
export class ProgramCopy {
  constructor(private readonly sandbox: Sandbox, private readonly report: CopyReport, private readonly signal: AbortSignal) {}

  /** Writes one file, as `name` in `to` if that is a directory. @param file its size is not known if it comes from stdin */
  public async sendFile(
    content: Readable, to: string, name: string, { mode = 0o644, size }: { readonly mode?: number; readonly size?: number },
  ): Promise<void> {
    const process = await this.start(RECEIVE_FILE, [argumentOf(to), name, mode.toString(8), size === undefined ? '' : String(size)]);
    process.stdout.resume();
    await this.feed(process, content, to);
    this.report.done();
  }

  /** Writes a directory and all below it, as `name` below `to` if that exists. */
  public async sendTree(entries: readonly LocalEntry[], to: string, name: string): Promise<void> {
    const process = await this.start(RECEIVE_TREE, [argumentOf(to), name]);
    const archive = pack();
    let begun = 0;
    const names = (async () => {
      let rest = '';
      for await (const chunk of process.stdout) {
        const lines = (rest + chunk).split('\n');
        rest = lines.pop()!;
        begun += lines.length;
      }
    })().catch(() => undefined);
    const fill = (async () => {
      for (const entry of entries) {
        await this.add(archive, entry);
      }
      archive.finalize();
    })().catch(error => archive.destroy(error));
    try {
      await this.feed(process, Readable.from(archive as AsyncIterable<Buffer>, { objectMode: false }), to);
      await Promise.all([fill, names]);
    } catch (error) {
      await names;
      // Each name is printed before its file is written: all but the last are complete.
      const missing = entries.slice(Math.max(0, begun - 1)).filter(({ type }) => type !== 'directory').map(entry => entry.name);
      throw error instanceof NoProgramsError || missing.length === 0 ? error : incomplete(error, missing);
    }
  }

  /** Reads a file or a directory into a tree that `open` makes when it is known which of both it is. */
  public async receive(
    from: string, isRecursive: boolean,
    { file, directory }: { file(content: Readable, header: Header): Promise<void>; directory(): Promise<LocalTree> },
  ): Promise<void> {
    const process = await this.start(SEND, [argumentOf(from), isRecursive ? '1' : '0']);
    const complaints = textOf(process.stderr);
    process.stdin.end();
    let tree: LocalTree | undefined;
    const unpack = extract();
    const unpacking = (async () => {
      for await (const entry of unpack) {
        const { header } = entry;
        const name = header.name.replace(/^\.\/+/, '').replace(/\/+$/, '');
        if (header.type !== 'directory') {
          this.report.begin(name);
        }
        if (!tree && header.type !== 'directory') {
          if (header.type !== 'file') {
            throw new SandboxInputError(`"${from}" is a ${header.type}`, { remedy: 'only files, directories and links can be copied' });
          }
          this.report.total = header.size;
          await file(Readable.from(entry as AsyncIterable<Buffer>, { objectMode: false }), header);
        } else {
          tree ??= await directory();
          await this.unpack(tree, Readable.from(entry as AsyncIterable<Buffer>, { objectMode: false }), header, name);
        }
        entry.resume();
      }
    })();
    try {
      await Promise.all([pipeline(process.stdout, unpack, { signal: this.signal }), unpacking]);
      await tree?.finish();
    } catch (error) {
      unpack.destroy();
      await unpacking.catch(() => undefined);
      this.signal.throwIfAborted();
      const code = await settled(process);
      const failure = code === undefined ? error : await this.check(code, from, complaints).then(() => error, said => said);
      const { unfinished, count } = this.report;
      throw unfinished === undefined && count === 0 ? failure : incomplete(failure, unfinished === undefined ? [] : [unfinished], { isOpen: true });
    } finally {
      process.close();
    }
    const code = await process.exit;
    // GNU tar ends with 1 when a file changed while it was read. What it left out, such as sockets, it only mentions.
    for (const line of (await complaints).split('\n').filter(Boolean)) {
      this.report.skip(from, harmless(line));
    }
    if (code !== 1 || this.report.count === 0) {
      await this.check(code, from, complaints);
    }
  }

  /** A file as a stream. */
  public async stream(from: string, use: (content: Readable) => Promise<void>): Promise<void> {
    const process = await this.start(SEND_PLAIN, [argumentOf(from)]);
    const complaints = textOf(process.stderr);
    process.stdin.end();
    try {
      await use(process.stdout);
      await this.check(await process.exit, from, complaints);
    } finally {
      process.close();
    }
  }

  private async start(script: string, args: readonly string[]): Promise<Process> {
    try {
      return await this.sandbox.commands.start(['sh', '-c', script, 'sh', ...args], { signal: this.signal });
    } catch (error) {
      if (error instanceof SandboxUnsupportedError || (error instanceof SandboxRequestError && error.reason === 'not_found')) {
        throw new NoProgramsError('the sandbox starts no programs, or has no sh', { cause: error });
      }
      throw error;
    }
  }

  /** Sends content to a program and waits for its end. */
  private async feed(process: Process, content: Readable, path: string): Promise<void> {
    const complaints = textOf(process.stderr);
    let failure: unknown;
    // A program that ends before its input does breaks the pipe: then its exit code counts.
    pipeline(content, process.stdin, { signal: this.signal }).catch(error => {
      failure = error;
      process.close();
    });
    let code: number;
    try {
      code = await process.exit;
    } catch (error) {
      this.signal.throwIfAborted();
      throw error instanceof SandboxClosedError ? failure ?? error : error;
    } finally {
      content.destroy();
      process.close();
    }
    await this.check(code, path, complaints);
  }

  private async add(archive: ReturnType<typeof pack>, entry: LocalEntry): Promise<void> {
    const common = { name: entry.name === '' ? './' : `./${entry.name}`, mode: entry.mode, mtime: entry.modified };
    if (entry.type !== 'file') {
      archive.entry(entry.type === 'directory' ? { ...common, type: 'directory' } : { ...common, type: 'symlink', linkname: entry.target });
      if (entry.type === 'link') {
        this.report.done();
      }
      return;
    }
    this.report.begin(entry.name);
    const target = archive.entry({ ...common, type: 'file', size: entry.size });
    await pipeline(Readable.from(contentOf(entry, this.report)), target);
    this.report.done();
  }

  private async unpack(tree: LocalTree, content: Readable, header: Header, name: string): Promise<void> {
    const attributes = { mode: header.mode, modified: header.mtime };
    try {
      switch (header.type) {
        case 'directory':
          return await tree.directory(name, attributes);
        case 'file':
        case 'contiguous-file':
          await tree.file(name, content, attributes);
          return this.report.done();
        case 'link':
          await tree.copy(name, header.linkname!.replace(/^\.\/+/, ''), attributes);
          return this.report.done();
        case 'symlink':
          return tree.link(name, header.linkname!);
        default:
          throw new EntryError(`it is a ${header.type}`);
      }
    } catch (error) {
      this.report.skip(name, reasonOf(error));
    }
  }

  /** Throws what the exit code of a script says. */
  private async check(code: number, path: string, complaints: Promise<string>): Promise<void> {
    const where = `"${path}" in the sandbox`;
    const { namespace, claimName } = this.sandbox;
    const context = { claim: `${namespace}/${claimName}` };
    switch (code) {
      case 0:
        return;
      case 127:
        throw new NoProgramsError('the sandbox has no tar');
      case CODE.notFound:
        throw new SandboxPathNotFoundError(`${where} does not exist`, 404, '', true, context);
      case CODE.isDirectory:
        throw new SandboxInputError(`${where} is a directory`, { ...context, remedy: 'give --recursive' });
      case CODE.isFile:
        throw new SandboxInputError(`${where} is not a directory`, { ...context, remedy: 'name another target' });
      case CODE.incomplete:
        throw new SandboxError(`${where} arrived incomplete and was not written`, { ...context, remedy: 'copy it again' });
      default: {
        const said = harmless((await complaints).trim().split('\n').at(-1) ?? '');
        throw new SandboxError(`${where} could not be copied: ${said || `exit code ${code}`}`, context);
      }
    }
  }
}

/** Bytes of what a program writes to stderr that are kept. */
const LONGEST_COMPLAINT = 64 * 1024;

async function textOf(stream: Readable): Promise<string> {
  let text = '';
  try {
    for await (const chunk of stream) {
      text = text.length < LONGEST_COMPLAINT ? text + chunk : text;
    }
  } catch {
    // The connection was lost: what came before counts.
  }
  return text;
}

/** The exit code, or undefined if it is not going to be known. */
function settled(process: Process): Promise<number | undefined> {
  return process.exit.catch(() => undefined);
}

/** An error that names what a broken copy lacks. @param isOpen whether there is more that is not known */
function incomplete(error: unknown, missing: readonly string[], { isOpen = false }: { isOpen?: boolean } = {}): SandboxError {
  const shown = missing.slice(0, 5).map(name => `"${harmless(name)}"`);
  const more = missing.length > 5 ? [`${missing.length - 5} more`] : isOpen ? ['all that the sandbox had not sent yet'] : [];
  return new SandboxError(`${error instanceof Error ? error.message : String(error)}; the copy is not complete, missing: ${[...shown, ...more].join(', ')}`, {
    remedy: 'copy again, which replaces existing files', cause: error,
  });
}
