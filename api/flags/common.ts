import type { Flag } from './flag';

/* Rows that several programs have. */

/** A flag of the original that is accepted and has no effect. */
export function ignored(name: string, type: 'boolean' | 'text', reason: string, since?: 'v1.0.12'): Flag {
  return { name, type, words: 'No effect.', original: name, since, ignored: reason };
}

const NO_ZAP = 'the log is written as lines of JSON';

/** Flags of zap, the original's log library. */
export const IGNORED_ZAP: readonly Flag[] = [
  ignored('zap-devel', 'boolean', NO_ZAP),
  ignored('zap-encoder', 'text', NO_ZAP),
  ignored('zap-stacktrace-level', 'text', NO_ZAP),
  ignored('zap-time-encoding', 'text', NO_ZAP),
];

export const VERSION_FLAG: Flag = { name: 'version', type: 'boolean', words: 'Print the version and exit.', default: false, original: 'version' };

export const KUBECONFIG_FLAG: Flag = {
  name: 'kubeconfig', type: 'text', value: 'file', words: 'File that says how to reach the API server.',
  otherwise: 'KUBECONFIG, the service account of the Pod, ~/.kube/config', original: 'kubeconfig',
};

export const LOG_LEVEL_FLAG: Flag = {
  name: 'zap-log-level', key: 'logLevel', type: 'logLevel', words: 'Level of the log: debug, info, warn, error, panic, or a number above 0 for more than info.',
  default: 'info', original: 'zap-log-level', prop: { name: 'logLevel' },
};
