import * as fs from 'node:fs';
import * as path from 'node:path';
import { describeRelease, release } from './release';

const AGAIN = process.env.AGENT_SANDBOX_TEST_RELEASE_AGAIN;

describeRelease('a release', [], () => {
  (AGAIN ? test : test.skip)(`has the same bytes when it is made again${AGAIN ? '' : ' (needs --again)'}`, () => {
    const sums = ({ files }: { files: ReadonlyArray<{ file: string; sha256: string }> }) => files.map(({ file, sha256 }) => `${sha256}  ${file}`);
    const again = sums(JSON.parse(fs.readFileSync(path.join(AGAIN!, 'manifest.json'), 'utf8')));
    expect(again.length).toBeGreaterThan(10);
    const first = new Set(sums(release()));
    expect(again.filter(line => !first.has(line))).toEqual([]);
  });
});
