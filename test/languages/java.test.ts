import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { namesIn } from '../../scripts/release/languages';
import { APPS, cookbookManifests, describeRelease, emptyFolder, release, ROOT, run, start, TWO_PROBLEMS, written } from './release';
import { expectedOutput, shownPrograms } from './shown';

describeRelease('the Java package of a release', ['mvn', 'javac'], () => {
  const folder = emptyFolder();
  const sources = path.join(folder, 'src', 'main', 'java');
  const programs = shownPrograms();
  const packageOf = (index: number) => `shown${index}`;
  let classes: string;

  beforeAll(() => {
    const { version, folder: files } = release();
    const { groupId, artifactId } = namesIn(ROOT).java.maven;
    fs.mkdirSync(sources, { recursive: true });
    fs.writeFileSync(path.join(folder, 'pom.xml'), `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>com.example</groupId>
  <artifactId>app</artifactId>
  <version>1</version>
  <properties><maven.compiler.source>17</maven.compiler.source><maven.compiler.target>17</maven.compiler.target><project.build.sourceEncoding>UTF-8</project.build.sourceEncoding></properties>
  <repositories>
    <repository><id>release</id><url>file://${path.join(files, 'maven')}</url></repository>
  </repositories>
  <dependencies>
    <dependency><groupId>${groupId}</groupId><artifactId>${artifactId}</artifactId><version>${version}</version></dependency>
  </dependencies>
</project>
`);
    for (const name of ['NetworkCookbook', 'TwoProblems']) {
      fs.copyFileSync(path.join(APPS, `${name}.java`), path.join(sources, `${name}.java`));
    }
    programs.forEach(({ java }, index) => {
      fs.mkdirSync(path.join(sources, packageOf(index)));
      fs.writeFileSync(path.join(sources, packageOf(index), 'Main.java'), `package ${packageOf(index)};\n\n${java}\n`);
    });
    // A repository of its own, since that of the user may hold an earlier release of the same version. What else is there need not be fetched again.
    const [users, own] = [path.join(os.homedir(), '.m2', 'repository'), path.join(folder, 'repository')];
    const earlier = path.join(users, ...groupId.split('.'), artifactId);
    if (fs.existsSync(users)) {
      fs.cpSync(users, own, { recursive: true, filter: file => file !== earlier });
    }
    run(folder, 'mvn', ['--batch-mode', '--quiet', `-Dmaven.repo.local=${own}`, 'compile', 'dependency:build-classpath', '-Dmdep.outputFile=classpath']);
    classes = [path.join(folder, 'target', 'classes'), fs.readFileSync(path.join(folder, 'classpath'), 'utf8').trim()].join(path.delimiter);
  }, 600_000);

  const app = (name: string) => {
    const own = path.join(folder, name);
    fs.mkdirSync(own);
    return own;
  };

  test('writes the cookbook, byte for byte', () => {
    const own = app('cookbook');
    run(own, 'java', ['-cp', classes, 'NetworkCookbook']);
    expect(written(own)).toEqual(cookbookManifests());
  });

  test.each(programs.map((program, index) => ({ ...program, index })))('the program of $name writes what it writes in TypeScript', ({ typescript, index }) => {
    const own = app(packageOf(index));
    run(own, 'java', ['-cp', classes, `${packageOf(index)}.Main`]);
    expect(written(own)).toEqual(expectedOutput(typescript));
  });

  test('an error is an exception with the whole message', () => {
    const { status, stderr } = start(app('errors'), 'java', ['-cp', classes, 'TwoProblems']);
    expect(status).toBe(1);
    expect(stderr).toContain(`Exception in thread "main" software.amazon.jsii.JsiiError: ${TWO_PROBLEMS}\n`);
  });
});
