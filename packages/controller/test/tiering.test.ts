import { spawnSync } from 'node:child_process';
import { optimizeRarely } from '../src/tiering.js';

test('the engine has the flag: it names those that it does not know on its error output', () => {
  const flag = optimizeRarely();
  const { stderr, status } = spawnSync(process.execPath, ['-e', `require('node:v8').setFlagsFromString(${JSON.stringify(flag)})`], { encoding: 'utf8' });
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
});
