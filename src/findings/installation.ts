import { EXTENSIONS_GROUP } from '../generated/vocabulary.gen';
import { FindingSeverity } from './finding';
import { listOf } from './pods';
import type { Rule, Subject, World } from './world';

/** A controller of this app, and what it looks after. */
interface Controller {
  readonly subject: Subject;
  readonly extensions: boolean;
  /** Undefined for the whole cluster. */
  readonly namespaces?: readonly string[];
}

const IMAGE = /agent-sandbox-controller/;

/** Rules about what this app installs, and what of it has to look after the rest. */
export const INSTALLATION_RULES: readonly Rule[] = [
  {
    id: 'not-looked-after',
    severity: FindingSeverity.ERROR,
    summary: 'The controller of this app does not look after an object of it: the namespace is not one of its own, or its extensions are off.',
    check: (world, report) => {
      const controllers = controllersOf(world);
      if (controllers.length === 0) {
        return;
      }
      const place = controllers[0].subject.place;
      for (const subject of world.subjects.filter(each => each.isOurs)) {
        const { namespace } = subject;
        const watching = controllers.filter(({ namespaces }) => namespace === undefined || !namespaces || namespaces.includes(namespace));
        if (watching.length === 0) {
          report(subject, 'metadata.namespace', subject.namespace, `the controller of this app (${place}) looks after ${controllers.flatMap(each => each.namespaces ?? []).map(each => `'${each}'`).join(', ')} only`,
            `add '${subject.namespace}' to namespaces of the controller`);
        } else if (subject.group === EXTENSIONS_GROUP && !watching.some(({ extensions }) => extensions)) {
          report(subject, 'kind', subject.kind, `the controller of this app (${place}) runs without extensions, and looks after Sandboxes only`, 'leave extensions of the controller out');
        }
      }
    },
  },
];

function controllersOf(world: World): Controller[] {
  return world.of('Deployment').flatMap((subject): Controller[] => {
    const container = listOf(subject.spec.template?.spec?.containers).find(each => each?.name === 'controller' && isController(subject, each));
    if (!container) {
      return [];
    }
    const flag = (name: string): string | undefined => listOf(container.args).map(String).find(each => each.startsWith(`--${name}=`))?.slice(name.length + 3);
    return [{ subject, extensions: flag('extensions') !== 'false', namespaces: flag('namespaces')?.split(',') }];
  });
}

/** Of ours: by the label of all that is installed, or by the usual name of the image. */
function isController({ manifest }: Subject, container: any): boolean {
  return manifest.metadata?.labels?.['app.kubernetes.io/part-of'] === 'agent-sandbox' || IMAGE.test(String(container.image));
}
