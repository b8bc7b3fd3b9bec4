import { Quantity } from '../checks';
import { validatePod, validateVolumeClaimTemplates } from '../pod';
import { FindingSeverity } from './finding';
import { blueprints } from './pods';
import type { Report, Rule, Subject, World } from './world';

const REFUSED = 'the API server refuses a Pod with it';

/**
 * An image as container runtimes read it: registry with port, path in lower case, tag, digest. Placeholders of templating
 * tools are accepted.
 */
const IMAGE = new RegExp([
  '^(?:(?:[A-Za-z0-9](?:[-A-Za-z0-9]*[A-Za-z0-9])?)(?:\\.[A-Za-z0-9](?:[-A-Za-z0-9]*[A-Za-z0-9])?)*(?::\\d+)?/|\\[[0-9a-fA-F:]+\\](?::\\d+)?/)?',
  '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*)*',
  '(?::\\w[-.\\w]{0,127})?(?:@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]+)?$',
].join(''));
const PLACEHOLDER = /[${}<>]|REPLACE/;

/** Calls for each container of a Sandbox or template, with the path of the container. */
function eachContainer(world: World, handle: (subject: Subject, path: string, container: any) => void): void {
  for (const subject of blueprints(world)) {
    const spec = subject.spec.podTemplate?.spec;
    for (const list of ['initContainers', 'containers']) {
      (Array.isArray(spec?.[list]) ? spec[list] : []).forEach((container: any, index: number) => container && handle(subject, `spec.podTemplate.spec.${list}[${index}]`, container));
    }
  }
}

/** Volumes of a Pod that are not in its template: undefined where claims can bring any. */
function volumesElsewhere(subject: Subject): string[] | undefined {
  const policy = subject.spec.volumeClaimTemplatesPolicy ?? 'Disallowed';
  const own = Array.isArray(subject.spec.volumeClaimTemplates) ? subject.spec.volumeClaimTemplates : [];
  return subject.kind === 'SandboxTemplate' && policy !== 'Disallowed' ? undefined : own.map((template: any) => template?.metadata?.name);
}

export const POD_RULES: readonly Rule[] = [
  {
    id: 'invalid-pod',
    severity: FindingSeverity.ERROR,
    summary: 'The API server would refuse the Pod or a PersistentVolumeClaim of a Sandbox, template or claim: a rule for Pods that a CustomResourceDefinition does not check.',
    check: (world, report) => {
      for (const subject of blueprints(world)) {
        validatePod('spec.podTemplate', subject.spec.podTemplate, sinkOf(subject, report), volumesElsewhere(subject));
      }
      for (const subject of [...blueprints(world), ...world.of('SandboxClaim').filter(each => each.isOurs)]) {
        validateVolumeClaimTemplates('spec.volumeClaimTemplates', subject.spec.volumeClaimTemplates, sinkOf(subject, report));
      }
    },
  },
  {
    id: 'few-bytes',
    severity: FindingSeverity.ERROR,
    summary: 'An amount of memory or storage without a unit, or with m (thousandths), is a few bytes, in which no program runs.',
    check: (world, report) => eachContainer(world, (subject, path, { resources }) => {
      for (const map of ['requests', 'limits']) {
        for (const name of ['memory', 'ephemeral-storage']) {
          const value = resources?.[map]?.[name];
          const amount = value === undefined ? undefined : Quantity.tryParse(String(value));
          if (amount && !amount.isZero && !amount.exceeds(A_MEBIBYTE) && !/[kKMGTPE]/.test(String(value))) {
            report(subject, `${path}.resources.${map}.${name}`, value, 'that is a number of bytes', `write a unit: '${parseInt(String(value), 10)}Mi'`);
          }
        }
      }
    }),
  },
  {
    id: 'image-reference',
    severity: FindingSeverity.ERROR,
    summary: 'No container runtime can read the reference of an image: capitals in its path, an empty tag, a scheme.',
    check: (world, report) => eachContainer(world, (subject, path, { image }) => {
      if (typeof image === 'string' && image !== '' && image.trim() === image && !IMAGE.test(image) && !PLACEHOLDER.test(image)) {
        report(subject, `${path}.image`, image, 'no container runtime can read it',
          /^\w+:\/\//.test(image) ? 'leave the scheme out' : /[A-Z]/.test(image.split('/').slice(1).join('/').split(':')[0]) ? `write the path in lower case: '${image.toLowerCase()}'`
            : "write registry, path, and tag or digest: 'registry.example/python:3.13'");
      }
    }),
  },
  {
    id: 'mount-path',
    severity: FindingSeverity.ERROR,
    summary: 'A path that volumes are mounted at is relative, has a colon, or is that of another mount in another spelling.',
    check: (world, report) => eachContainer(world, (subject, path, { volumeMounts }) => {
      const before = new Map<string, string>();
      (Array.isArray(volumeMounts) ? volumeMounts : []).forEach((mount: any, index: number) => {
        const at = typeof mount?.mountPath === 'string' ? mount.mountPath : '';
        const plain = at.replace(/\/(\.?\/)+/g, '/').replace(/(.)\/\.?$/, '$1');
        const field = `${path}.volumeMounts[${index}].mountPath`;
        const isWindows = /^[A-Za-z]:[\\/]/.test(at);
        if (at !== '' && !isWindows && (at.includes(':') || !at.startsWith('/'))) {
          report(subject, field, at, 'the kubelet cannot mount there', "write an absolute path without ':', such as '/workspace'");
        } else if (at !== '' && before.has(plain) && before.get(plain) !== at) {
          report(subject, field, at, `it is the same place as '${before.get(plain)}', and one mount would hide the other`, 'use each path once');
        }
        before.set(plain, at);
      });
    }),
  },
];

const A_MEBIBYTE = Quantity.tryParse('1Mi')!;

function sinkOf(subject: Subject, report: Report) {
  return (field: string, value: unknown, remedy: string) => report(subject, field, value, REFUSED, remedy);
}
