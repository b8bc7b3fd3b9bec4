/** One measurement in a process of its own: writes the milliseconds of processor time as JSON. */
import { Checks, NetworkModel, Posture } from '../../src';
import { appOf, manifestsOf } from './objects';

/** What is measured, by name: prepares the objects, and returns what is timed. */
const STEPS: Readonly<Record<string, (count: number) => () => unknown>> = {
  checks: count => withManifests(count, manifests => Checks.ofManifests(manifests)),
  matrix: count => withManifests(count, manifests => NetworkModel.ofManifests(manifests).matrix()),
  posture: count => withManifests(count, manifests => Posture.ofManifests(manifests).toText()),
  'synth': count => () => appOf(count).synth(),
  'synth and checks': count => () => {
    const app = appOf(count);
    app.synth();
    Checks.of(app);
  },
};

function withManifests(count: number, run: (manifests: any[]) => unknown): () => unknown {
  // As they come from files: no construct is left behind.
  const manifests = JSON.parse(JSON.stringify(manifestsOf(count)));
  return () => run(manifests);
}

const [step, count] = process.argv.slice(2);
const run = STEPS[step](Number(count));
const before = process.cpuUsage();
run();
const { user, system } = process.cpuUsage(before);
console.log(JSON.stringify((user + system) / 1000));
