import * as fs from 'node:fs';
import * as path from 'node:path';
import { parse } from 'yaml';
import { writeApp } from '../../packages/client/src/cli/init.js';
import { APPS, artifact, cookbookManifests, describeRelease, emptyFolder, release, ROOT, run, start, TWO_PROBLEMS, written } from './release';
import { expectedOutput, shownPrograms } from './shown';

describeRelease('the Python package of a release', ['python3'], () => {
  const folder = emptyFolder();
  const python = path.join(folder, 'venv', 'bin', 'python');
  const app = (name: string, source: string) => {
    const own = path.join(folder, name);
    fs.mkdirSync(own);
    fs.writeFileSync(path.join(own, 'main.py'), source);
    return own;
  };

  beforeAll(() => {
    run(folder, 'python3', ['-m', 'venv', 'venv']);
    run(folder, python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', artifact(release(), /\.whl$/)]);
  }, 600_000);

  test('writes the cookbook, byte for byte', () => {
    const own = app('cookbook', fs.readFileSync(path.join(APPS, 'network_cookbook.py'), 'utf8'));
    const { status, stderr } = start(own, python, ['main.py']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(written(own)).toEqual(cookbookManifests());
  });

  test.each(shownPrograms())('the program of $name writes what it writes in TypeScript', ({ name, typescript, python: source }) => {
    const own = app(name.replace(/\W/g, '_'), source);
    run(own, python, ['main.py']);
    expect(written(own)).toEqual(expectedOutput(typescript));
  });

  test('an error is an exception with the whole message', () => {
    const { status, stderr } = start(app('errors', fs.readFileSync(path.join(APPS, 'two_problems.py'), 'utf8')), python, ['main.py']);
    expect(status).toBe(1);
    expect(stderr.endsWith(`\nRuntimeError: ${TWO_PROBLEMS}\n`)).toBe(true);
  });

  test('wrong types are refused in Python, before anything else', () => {
    const own = app('types', 'from cdk8s_agent_sandbox import SandboxContainer\nSandboxContainer(image=1)\n');
    expect(start(own, python, ['main.py']).stderr).toMatch(/TypeError: type of argument image must be str; got int instead\n$/);
    const unknown = app('unknown', 'from cdk8s_agent_sandbox import SandboxContainer\nSandboxContainer(image="a", imagePullPolicy="Always")\n');
    expect(start(unknown, python, ['main.py']).stderr).toMatch(/TypeError: .*unexpected keyword argument 'imagePullPolicy'/);
  });

  test('brings the command', () => {
    const own = app('command', '');
    fs.writeFileSync(path.join(own, 'pool.yaml'), 'apiVersion: extensions.agents.x-k8s.io/v1beta1\nkind: SandboxWarmPool\nmetadata:\n  name: a\nspec:\n  poolSize: 3\n');
    const { status, stdout } = start(own, path.join(folder, 'venv', 'bin', 'agent-sandbox-check'), ['.']);
    expect(stdout).toContain('poolSize');
    expect(status).toBe(1);
  });

  test('the app of `agent-sandbox init` installs, keeps what its tests promise, and writes what the one in TypeScript writes', () => {
    const own = path.join(folder, 'init');
    writeApp(own, release().version, 'python');
    run(own, 'python3', ['-m', 'venv', '.venv']);
    const bin = path.join(own, '.venv', 'bin');
    // The commands of its workflow; the release stands for the registry.
    const { jobs } = parse(fs.readFileSync(path.join(own, '.github', 'workflows', 'manifests.yml'), 'utf8'));
    const commands: string[] = jobs.manifests.steps.flatMap(({ run: line }: { run?: string }) => line ?? []).slice(0, -1);
    expect(commands).toHaveLength(4);
    for (const line of commands) {
      run(own, 'sh', ['-ec', line], { PATH: `${bin}:${process.env.PATH}`, PIP_FIND_LINKS: path.dirname(artifact(release(), /\.whl$/)), PIP_DISABLE_PIP_VERSION_CHECK: '1' });
    }
    const typescript = fs.readFileSync(path.join(ROOT, 'packages', 'client', 'templates', 'typescript', 'app.ts'), 'utf8');
    expect(written(own)).toEqual(expectedOutput(`${typescript}\nagents().synth();\n`));
  }, 600_000);

  test('the source distribution installs the same files', () => {
    const from = (kind: RegExp, target: string) => {
      run(folder, python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-deps', '--target', target, artifact(release(), kind)]);
      const root = path.join(folder, target, 'cdk8s_agent_sandbox');
      return Object.fromEntries(fs.readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(file => !file.includes('__pycache__') && fs.statSync(path.join(root, file)).isFile())
        .sort().map(file => [file, fs.readFileSync(path.join(root, file), 'base64')]));
    };
    expect(from(/pypi\/.*\.tar\.gz$/, 'from-source')).toEqual(from(/\.whl$/, 'from-wheel'));
  }, 300_000);
});
