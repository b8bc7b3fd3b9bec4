import * as fs from 'node:fs';
import * as path from 'node:path';
import { namesIn } from '../../scripts/release/languages';
import { APPS, artifact, cookbookManifests, describeRelease, emptyFolder, release, ROOT, run, start, TWO_PROBLEMS, written } from './release';
import { expectedOutput, shownPrograms } from './shown';

const CORE = 'github.com/cdk8s-team/cdk8s-core-go/cdk8s/v2';
/** The oldest version of the core that proxies are known to have, where they lack the one that the library is developed with. */
const CORE_VERSION = 'v2.68.91';

describeRelease('the Go module of a release', ['go', 'gofmt'], () => {
  const folder = emptyFolder();
  const programs = shownPrograms();
  const binary = (name: string) => path.join(folder, 'bin', name);

  beforeAll(() => {
    const { moduleName, packageName } = namesIn(ROOT).go;
    const made = release();
    run(folder, 'tar', ['-xzf', artifact(made, /^go\//)]);
    const sources: { [name: string]: string } = {
      cookbook: fs.readFileSync(path.join(APPS, 'network_cookbook.go'), 'utf8'),
      errors: fs.readFileSync(path.join(APPS, 'two_problems.go'), 'utf8'),
      ...Object.fromEntries(programs.map(({ go }, index) => [`shown${index}`, `${go}\n`])),
    };
    for (const [name, source] of Object.entries(sources)) {
      fs.mkdirSync(path.join(folder, name));
      fs.writeFileSync(path.join(folder, name, 'main.go'), source);
    }
    const module = `${moduleName}/${packageName}`;
    const core = /cdk8s-core-go\S+ (\S+)/.exec(fs.readFileSync(path.join(folder, packageName, 'go.mod'), 'utf8'))![1];
    const hasCore = start(folder, 'go', ['list', '-m', `${CORE}@${core}`]).status === 0;
    fs.writeFileSync(path.join(folder, 'go.mod'), `module example.com/app

go 1.25

require ${module} v${made.version}

replace ${module} => ./${packageName}
${hasCore ? '' : `\nreplace ${CORE} => ${CORE} ${CORE_VERSION}\n`}`);
    run(folder, 'go', ['mod', 'tidy']);
    run(folder, 'go', ['vet', ...Object.keys(sources).map(name => `./${name}`)]);
    run(folder, 'go', ['build', '-o', `${path.join(folder, 'bin')}${path.sep}`, ...Object.keys(sources).map(name => `./${name}`)]);
  }, 900_000);

  const app = (name: string) => {
    const own = path.join(folder, 'out', name);
    fs.mkdirSync(own, { recursive: true });
    return own;
  };

  test('writes the cookbook, byte for byte', () => {
    const own = app('cookbook');
    run(own, binary('cookbook'), []);
    expect(written(own)).toEqual(cookbookManifests());
  });

  test.each(programs.map((program, index) => ({ ...program, index })))('the program of $name writes what it writes in TypeScript', ({ typescript, index }) => {
    const own = app(`shown${index}`);
    run(own, binary(`shown${index}`), []);
    expect(written(own)).toEqual(expectedOutput(typescript));
  });

  test('an error is a panic with the whole message', () => {
    const { status, stderr } = start(app('errors'), binary('errors'), []);
    expect(status).toBe(2);
    expect(stderr).toContain(`panic: ${TWO_PROBLEMS.replaceAll('\n', '\n\t')}`);
  });

  test('the programs are formatted as Go formats them', () => {
    expect(run(folder, 'gofmt', ['-s', '-l', 'cookbook', 'errors', ...programs.map((_, index) => `shown${index}`)])).toBe('');
  });
});
