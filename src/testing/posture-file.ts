import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { explainEntries, type Posture, type PostureEntry } from '../posture';

/** What to do about a file that is missing or different. @internal */
export type PostureUpdate = 'all' | 'new' | 'none';

/** Variable that has files written anew by any test framework. */
const UPDATE_VARIABLE = 'AGENT_SANDBOX_UPDATE';

/** As variables say: files are written when they are missing, but not in continuous integration. @internal */
export function updateOf({ [UPDATE_VARIABLE]: update, CI: ci }: NodeJS.ProcessEnv): PostureUpdate {
  return update && update !== '0' ? 'all' : ci && ci !== 'false' ? 'none' : 'new';
}

/** Why a posture is not that of a file, or undefined. Writes the file where `update` says so. @internal */
export function postureProblem(posture: Posture, file: string, update: PostureUpdate): string | undefined {
  const text = posture.toText();
  const committed = existsSync(file) ? readFileSync(file, 'utf8').replace(/\r\n/g, '\n') : undefined;
  if (committed === text) {
    return undefined;
  }
  if (update === 'all' || (update === 'new' && committed === undefined)) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
    return undefined;
  }
  const remedy = `if this is meant, have the file written anew: ${UPDATE_VARIABLE}=1, or the flag -u of jest and vitest`;
  if (committed === undefined) {
    return `expected the posture in ${file}, and there is no such file: ${remedy}, and commit it`;
  }
  const explained = explainEntries(entriesOfText(committed), posture.entries);
  return [`expected the posture in ${file}, and it has changed:`, ...(explained || 'it is written in another way, and means the same').split('\n').map(line => `  ${line}`), remedy].join('\n');
}

/** The entries of a posture's text, as far as differences need them. */
function entriesOfText(text: string): PostureEntry[] {
  return text.split('\n\n').filter(block => block.trim() !== '').map(block => {
    const [object, ...lines] = block.trimEnd().split('\n');
    const facts: { topic: string; items: string[]; isDefault: boolean }[] = [];
    for (const line of lines) {
      const [, topic, item] = /^ {2}(\S*) +(.*?)(?: \(default\))?$/.exec(line) ?? [line, '', line.trim()];
      if (topic) {
        facts.push({ topic, items: [item], isDefault: line.endsWith(' (default)') });
      } else {
        facts.at(-1)?.items.push(item);
      }
    }
    return { object, place: '', facts } as unknown as PostureEntry;
  });
}
