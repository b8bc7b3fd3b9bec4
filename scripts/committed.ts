/** In continuous integration (`CI` is set): fails when the build has changed files that are committed: what is generated has to be committed with its source. */
import { execFileSync } from 'node:child_process';

const changed = process.env.CI ? execFileSync('git', ['status', '--porcelain', '--untracked-files=no'], { encoding: 'utf8' }) : '';
if (changed) {
  console.error(`the build changed committed files; build, and commit the result:\n${changed}`);
  console.error(execFileSync('git', ['diff', '--stat'], { encoding: 'utf8' }));
  process.exitCode = 1;
}
