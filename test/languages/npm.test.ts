import * as fs from 'node:fs';
import * as path from 'node:path';
import { artifact, cookbookManifests, describeRelease, emptyFolder, release, ROOT, run, start, TWO_PROBLEMS, written } from './release';
import { shownPrograms } from './shown';

const TSC = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', '--moduleResolution', 'nodenext', '--target', 'es2022', '--lib', 'es2022,esnext.disposable', '--types', 'node'];

describeRelease('the npm packages of a release', [], () => {
  const folder = emptyFolder();

  beforeAll(() => {
    const made = release();
    fs.writeFileSync(path.join(folder, 'package.json'), '{ "private": true }');
    run(folder, 'npm', ['install', '--silent', '--no-audit', '--no-fund', 'cdk8s', 'cdk8s-plus-33', 'constructs', 'tsx', 'typescript@5', '@types/node@20',
      ...['api', 'kube', 'client'].map(name => artifact(made, new RegExp(`^npm/agent-sandbox-${name}-`))), artifact(made, /^npm\/cdk8s-agent-sandbox-/)]);
  }, 600_000);

  test.each(shownPrograms().map(({ name, typescript }) => [name, typescript]))('TypeScript of %s compiles and runs', (name, source) => {
    const own = path.join(folder, name.replace(/\W/g, '_'));
    fs.mkdirSync(own);
    fs.writeFileSync(path.join(own, 'main.ts'), source);
    run(own, 'npx', ['tsc', '--noEmit', '--strict', '--skipLibCheck', 'main.ts']);
    run(own, 'npx', ['tsx', 'main.ts']);
    expect(Object.keys(written(own)).length).toBeGreaterThan(0);
  });

  test('the library writes the cookbook, and says what is wrong', () => {
    const own = path.join(folder, 'cookbook');
    fs.mkdirSync(own);
    fs.copyFileSync(path.join(ROOT, 'examples', 'network-cookbook', 'main.ts'), path.join(own, 'main.ts'));
    run(own, 'npx', ['tsx', 'main.ts']);
    expect(written(own)).toEqual(cookbookManifests());
    expect(run(own, 'npx', ['agent-sandbox-check', 'dist'])).toContain('0 errors, 1 warnings');
    fs.writeFileSync(path.join(own, 'bad.js'), `
      const { App, Chart } = require('cdk8s');
      const { Isolation, SandboxTemplate } = require('cdk8s-agent-sandbox');
      new SandboxTemplate(new Chart(new App(), 'agents', { namespace: 'agents' }), 'python', {
        containers: [{ image: 'registry.example/python-runtime:1.0', memory: '512 MB', runAsUser: 0 }], isolation: Isolation.gvisor(),
      });`);
    expect(start(own, 'node', ['bad.js']).stderr).toContain(`Error: ${TWO_PROBLEMS}\n`);
  });

  test.each([
    ['agent-sandbox-api', 'nameHash', 'nameHash("a").length'],
    ['agent-sandbox-kube', 'ManualClock', 'typeof ManualClock'],
    ['agent-sandbox-client', 'SandboxClient', 'typeof SandboxClient'],
  ])('%s has code and types for ES modules and CommonJS', (name, exported, expression) => {
    const own = path.join(folder, name);
    fs.mkdirSync(own);
    fs.writeFileSync(path.join(own, 'a.mjs'), `import { ${exported} } from '${name}'; console.log(${expression});`);
    fs.writeFileSync(path.join(own, 'a.cjs'), `const { ${exported} } = require('${name}'); console.log(${expression});`);
    fs.writeFileSync(path.join(own, 'b.mts'), `import { ${exported} } from '${name}'; console.log(${expression});\n// @ts-expect-error: there is none\nimport { nothing } from '${name}';`);
    fs.writeFileSync(path.join(own, 'b.cts'), `import { ${exported} } from '${name}'; console.log(${expression});\n// @ts-expect-error: there is none\nimport { nothing } from '${name}';`);
    expect(run(own, 'node', ['a.mjs'])).toBe(run(own, 'node', ['a.cjs']));
    run(own, 'npx', ['tsc', ...TSC, 'b.mts', 'b.cts']);
  });

  test('the client has its command line', () => {
    expect(run(folder, 'npx', ['agent-sandbox', '--version'])).toBe(`agent-sandbox ${release().version}\n`);
  });
});
