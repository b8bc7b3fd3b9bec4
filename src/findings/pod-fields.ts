import { absolutePath, cpu, folder, isFewBytes, quantity } from '../checks';
import { validatePod, validateVolumeClaimTemplates } from '../pod';
import { FindingSeverity } from './finding';
import { blueprints, listOf } from './pods';
import type { Report, Rule, Subject } from './world';

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
const PLACEHOLDER = /[${}<>]|REPLACE|PLACEHOLDER|^__\w+__$/;

/**
 * A rule about each Sandbox, template and claim alone. Many objects of an app describe the same Pod, and only the first of them is looked at
 * where nothing is wrong with it.
 */
function ofEach(check: (subject: Subject, report: Report) => void): Rule['check'] {
  return (world, report) => {
    const good = new Set<string>();
    for (const subject of [...blueprints(world), ...world.of('SandboxClaim').filter(each => each.isOurs)]) {
      const pod = podOf(subject);
      if (pod === undefined || !good.has(pod)) {
        let isGood = true;
        check(subject, (...finding) => {
          isGood = false;
          report(...finding);
        });
        if (isGood && pod !== undefined) {
          good.add(pod);
        }
      }
    }
  };
}

const texts = new WeakMap<Subject, string | undefined>();

/** All that the rules below read of an object, as text; undefined where it cannot be written as JSON. */
function podOf(subject: Subject): string | undefined {
  if (!texts.has(subject)) {
    const { podTemplate, volumeClaimTemplates, volumeClaimTemplatesPolicy } = subject.spec;
    texts.set(subject, json([subject.kind, podTemplate, volumeClaimTemplates, volumeClaimTemplatesPolicy]));
  }
  return texts.get(subject);
}

function json(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined; // aliases of YAML can make a cycle
  }
}

/** Calls for each container of a Sandbox or template, with its path. */
function eachContainer(subject: Subject, handle: (path: string, container: any) => void): void {
  const spec = subject.spec.podTemplate?.spec;
  for (const name of ['initContainers', 'containers']) {
    listOf(spec?.[name]).forEach((container, index) => container && handle(`spec.podTemplate.spec.${name}[${index}]`, container));
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
    check: ofEach((subject, report) => {
      if (subject.kind !== 'SandboxClaim') {
        validatePod('spec.podTemplate', subject.spec.podTemplate, sinkOf(subject, report), volumesElsewhere(subject));
      }
      validateVolumeClaimTemplates('spec.volumeClaimTemplates', subject.spec.volumeClaimTemplates, sinkOf(subject, report));
    }),
  },
  {
    id: 'few-bytes',
    severity: FindingSeverity.ERROR,
    summary: 'An amount of memory or storage without a unit, or with m (thousandths), is a few bytes, in which no program runs and no file fits.',
    check: ofEach((subject, report) => {
      const look = (field: string, value: unknown) => {
        if (value !== undefined && isFewBytes(String(value)) && !/[kKMGTPE]/.test(String(value))) {
          report(subject, field, value, 'that is a number of bytes', `write a unit: '${parseInt(String(value), 10)}Mi'`);
        }
      };
      eachContainer(subject, (path, { resources }) => {
        for (const map of ['requests', 'limits']) {
          ['memory', 'ephemeral-storage'].forEach(name => look(`${path}.resources.${map}.${name}`, resources?.[map]?.[name]));
        }
      });
      listOf(subject.spec.podTemplate?.spec?.volumes).forEach((volume, index) =>
        look(`spec.podTemplate.spec.volumes[${index}].emptyDir.sizeLimit`, volume?.emptyDir?.sizeLimit));
      listOf(subject.spec.volumeClaimTemplates).forEach((template, index) =>
        look(`spec.volumeClaimTemplates[${index}].spec.resources.requests.storage`, template?.spec?.resources?.requests?.storage));
    }),
  },
  {
    id: 'cpu-amount',
    severity: FindingSeverity.ERROR,
    summary: 'An amount of CPU is a hundred cores or more and not written in thousandths (`1000` in place of `1000m`), or finer than a thousandth.',
    check: ofEach((subject, report) => eachContainer(subject, (path, { resources }) => {
      for (const map of ['requests', 'limits']) {
        const value = resources?.[map]?.cpu;
        const remedy = value === undefined || quantity(String(value)) !== undefined ? undefined : cpu(String(value));
        if (remedy !== undefined) {
          const [message, ...rest] = remedy.split(': ');
          report(subject, `${path}.resources.${map}.cpu`, value, message, rest.join(': '));
        }
      }
    })),
  },
  {
    id: 'image-reference',
    severity: FindingSeverity.ERROR,
    summary: 'No container runtime can read the reference of an image: capitals in its path, an empty tag, a scheme.',
    check: ofEach((subject, report) => eachContainer(subject, (path, { image }) => {
      if (typeof image === 'string' && image !== '' && image.trim() === image && !IMAGE.test(image) && !PLACEHOLDER.test(image)) {
        report(subject, `${path}.image`, image, 'no container runtime can read it',
          /^\w+:\/\//.test(image) ? 'leave the scheme out' : /[A-Z]/.test(image.split('/').slice(1).join('/').split(':')[0]) ? `write the path in lower case: '${image.toLowerCase()}'`
            : "write registry, path, and tag or digest: 'registry.example/python:3.13'");
      }
    })),
  },
  {
    id: 'mount-path',
    severity: FindingSeverity.ERROR,
    summary: 'A path that volumes are mounted at is relative, has a colon or `..`, or is that of another mount in another spelling.',
    check: ofEach((subject, report) => eachContainer(subject, (path, { volumeMounts }) => {
      const before = new Map<string, string>();
      listOf(volumeMounts).forEach((mount, index) => {
        const at = typeof mount?.mountPath === 'string' ? mount.mountPath : '';
        const plain = at.replace(/\/(\.?\/)+/g, '/').replace(/(.)\/\.?$/, '$1');
        const field = `${path}.volumeMounts[${index}].mountPath`;
        const remedy = at === '' || isWindows(at) ? undefined : absolutePath(at);
        if (at !== '' && before.has(plain) && before.get(plain) !== at) {
          report(subject, field, at, `it is the same place as '${before.get(plain)}', and one mount would hide the other`, 'use each path once');
        } else if (remedy !== undefined) {
          report(subject, field, at, 'the kubelet cannot mount there, or mounts at another place than it says', remedy);
        }
        before.set(plain, at);
      });
    })),
  },
  {
    id: 'working-directory',
    severity: FindingSeverity.ERROR,
    summary: 'A working directory or the path of the termination message is relative or has `..`: the container does not start, or starts elsewhere.',
    check: ofEach((subject, report) => eachContainer(subject, (path, container) => {
      for (const name of ['workingDir', 'terminationMessagePath']) {
        const value = container[name];
        const remedy = typeof value !== 'string' || value === '' || isWindows(value) ? undefined : folder(value);
        if (remedy !== undefined) {
          report(subject, `${path}.${name}`, value, 'the container would not start there', remedy);
        }
      }
    })),
  },
];

const isWindows = (path: string) => /^[A-Za-z]:[\\/]/.test(path);

function sinkOf(subject: Subject, report: Report) {
  return (field: string, value: unknown, remedy: string) => report(subject, field, value, REFUSED, remedy);
}
