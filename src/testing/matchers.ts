import { basename, dirname, extname, join, resolve } from 'node:path';
import { Construct } from 'constructs';
import { Posture } from '../posture';
import { postureProblem, type PostureUpdate, updateOf } from './posture-file';

/** What jest and vitest tell a matcher about the test that runs. */
interface MatcherState {
  readonly testPath?: string;
  readonly isNot?: boolean;
  readonly snapshotState?: unknown;
}

/** What a matcher answers. */
interface MatcherResult {
  readonly pass: boolean;
  readonly message: () => string;
}

/**
 * Matchers for `expect.extend(matchers)` of jest and vitest.
 *
 * `expect(app).toMatchPosture()` compares the posture of an app, a chart or manifests with the file `TEST.posture.txt` beside the test, or another
 * one that is named; `-u` writes it anew.
 */
export const matchers = {
  toMatchPosture(this: unknown, received: unknown, file?: string): MatcherResult {
    const { testPath, isNot, snapshotState } = (this ?? {}) as MatcherState;
    if (isNot) {
      throw new Error('toMatchPosture cannot be negated: a posture that is different from a file says nothing');
    }
    if (!testPath && file === undefined) {
      throw new Error("toMatchPosture does not know the test's file here: name a file: toMatchPosture('posture.txt')");
    }
    const folder = testPath ? dirname(testPath) : process.cwd();
    const path = file === undefined ? join(folder, `${basename(testPath!, extname(testPath!))}.posture.txt`) : resolve(folder, file);
    const problem = postureProblem(postureOf(received), path, flagOf(snapshotState) ?? updateOf(process.env));
    return { pass: problem === undefined, message: () => problem ?? '' };
  },
};

function postureOf(received: unknown): Posture {
  return Construct.isConstruct(received) ? Posture.of(received as Construct) : Posture.ofManifests(received as any[]);
}

/** What `-u` and `--ci` say: the one place where jest and vitest have it is not public, so an unknown value counts as none. */
function flagOf(state: unknown): PostureUpdate | undefined {
  const update = (state as { readonly _updateSnapshot?: unknown } | undefined)?._updateSnapshot;
  return update === 'all' || update === 'new' || update === 'none' ? update : undefined;
}

declare global {
  // eslint-disable-next-line @typescript-eslint/no-namespace
  namespace jest {
    interface Matchers<R> {
      /**
       * The posture is that of a file.
       *
       * @param file path, relative to the test. Default: the test's name with the extension `.posture.txt`
       */
      toMatchPosture(file?: string): R;
    }
  }
}
