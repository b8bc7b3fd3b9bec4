import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SandboxInputError } from '../errors.js';

/** Where agents of several makers look for skills of a repository. */
export const SKILLS_FOLDER = '.agents/skills';
/** Name of the skill, and of its folder: the format wants both to be the same. */
const NAME = 'agent-sandbox';

/** The files of the skill by their path in its folder. They are part of the program when it is bundled. */
function skillFiles(): Record<string, string> {
  const bundled = process.env.AGENT_SANDBOX_SKILL;
  if (bundled !== undefined) {
    return JSON.parse(bundled) as Record<string, string>;
  }
  const folder = fileURLToPath(new URL(`../../../../skills/${NAME}`, import.meta.url));
  return Object.fromEntries(readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(file => file.endsWith('.md')).sort()
    .map(file => [file, readFileSync(join(folder, file), 'utf8')]));
}

/**
 * Writes the skill into a folder of skills, replacing an older version of it, and returns the paths of its files. Throws
 * `SandboxInputError` when the folder of the skill holds another one.
 */
export function writeSkill(folder: string): string[] {
  const target = join(folder, NAME);
  const own = join(target, 'SKILL.md');
  if (existsSync(own) && !new RegExp(`^name: ${NAME}$`, 'm').test(readFileSync(own, 'utf8'))) {
    throw new SandboxInputError(`${own} is another skill`, { remedy: 'name another folder with --out, or remove it' });
  }
  return Object.entries(skillFiles()).map(([file, text]) => {
    const path = join(target, file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    return path;
  });
}
