/** Whether a release may be installed in place of the one before it: jsii-diff compares what they let programs do. */
import { spawnSync } from 'node:child_process';

const numbers = (version: string) => version.split('-')[0].split('.').map(Number);

function compare(one: string, other: string): number {
  const [a, b] = [numbers(one), numbers(other)];
  const index = a.findIndex((number, at) => number !== b[at]);
  return index < 0 ? 0 : a[index] - b[index];
}

/** The newest release before a version, by the tags of the repository; without previews. */
export function previousRelease(tags: readonly string[], version: string): string | undefined {
  return tags.filter(tag => /^v\d+\.\d+\.\d+$/.test(tag)).map(tag => tag.slice(1)).filter(each => compare(each, version) < 0).sort(compare).at(-1);
}

/** Whether the versions say that programs may have to change: another major version, or another minor one before 1.0. */
export function mayBreak(before: string, after: string): boolean {
  const [[major, minor], [nextMajor, nextMinor]] = [numbers(before), numbers(after)];
  return major !== nextMajor || (major === 0 && minor !== nextMinor);
}

/**
 * What a program that is written for one compiled library cannot do with another, one line each. `before` is a folder, or `npm:` with a package
 * and its version.
 */
export function breakingChanges(before: string, after: string): string[] {
  const { status, stdout, stderr } = spawnSync(process.execPath, [require.resolve('jsii-diff/bin/jsii-diff'), '--error-on', 'all', before, after], {
    encoding: 'utf8', maxBuffer: 1 << 28, env: { ...process.env, NODE_OPTIONS: '', JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION: '20' },
  });
  const lines = `${stdout}\n${stderr}`.split('\n').filter(line => line.includes('cdk8s-agent-sandbox.'));
  if (status !== 0 && lines.length === 0) {
    throw new Error(`jsii-diff failed: ${stderr.trim()}`);
  }
  return status === 0 ? [] : lines;
}
