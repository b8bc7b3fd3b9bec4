import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { BackgroundControlPlane } from '../background.js';
import { resolve } from '../binaries.js';
import { cacheRoot, installedPath, isInstalled, programVersion } from '../cache.js';
import { PROGRAMS, program } from '../programs.js';
import { megabytes, table } from './format.js';

/** Prints the programs that are built, those that tests would use, and running control planes. */
export async function status(): Promise<void> {
  const programs = PROGRAMS.map(entry => [
    entry.name, programVersion(entry), entry.group, isInstalled(entry) ? megabytes(statSync(installedPath(entry)).size) : 'not built',
  ]);
  console.log(table([['PROGRAM', 'VERSION', 'GROUP', 'BUILT'], ...programs]));
  console.log(`\ncache:  ${cacheRoot()}\ntests:  ${describeResolution()}`);

  const running = await BackgroundControlPlane.find();
  if (!running) {
    console.log('up:     no ("npm run testbed -- up" starts one)');
    return;
  }
  console.log(`up:     ${running.connection.server}, kubeconfig ${BackgroundControlPlane.kubeconfigPath}, logs in ${running.dir}\n`);
  const processes = (await running.processes()).map(entry => [entry.name, String(entry.pid), megabytes(entry.residentBytes)]);
  console.log(table([['PROCESS', 'PID', 'MEMORY'], ...processes]));
  await running.close();
}

/** Prints the environment as shell commands, for `eval`. */
export async function env(): Promise<void> {
  const running = await BackgroundControlPlane.find();
  const controlPlaneDir = dirname(installedPath(program('kube-apiserver')));
  const toolsDir = dirname(installedPath(program('kwok')));
  const lines = [
    ...(running ? [`export KUBECONFIG=${quote(BackgroundControlPlane.kubeconfigPath)}`] : []),
    `export KUBEBUILDER_ASSETS=${quote(controlPlaneDir)}`,
    `export PATH=${quote(`${controlPlaneDir}:${toolsDir}`)}:"$PATH"`,
  ];
  console.log(lines.join('\n'));
  await running?.close();
}

function describeResolution(): string {
  const found = resolve();
  switch (found.kind) {
    case 'provided': return `the cluster of ${found.kubeconfig}${found.allowsClusterWrites ? ', cluster-scoped writes allowed' : ''}`;
    case 'binaries': return `programs of ${found.source}`;
    case 'nothing': return `skipped: ${found.reason}`;
  }
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
