/** One way of writing objects, as measured against the others. */
export interface Subject {
  /** Name of the app in `apps/`, and of the subject in the JSON line. */
  readonly id: string;

  /** Name in the tables. */
  readonly label: string;

  /** What the app imports besides cdk8s: the module whose first `require` is timed. */
  readonly modules: readonly string[];

  /** Whether it needs the stock import. */
  readonly stock?: boolean;

  /** Objects that the app writes for a count of 1 to n: a fixed number, and one for each. */
  readonly objects: { readonly fixed: number; readonly each: number };

  /** Folder of the app below `work/`, and its name there, where it is that of another commit. */
  readonly at?: { readonly folder: string; readonly app: string };
}

const LIBRARY = ['cdk8s-agent-sandbox'];

export const SUBJECTS: readonly Subject[] = [
  { id: 'bare-cdk8s', label: 'cdk8s, untyped Sandbox', modules: [], objects: { fixed: 0, each: 1 } },
  { id: 'library-l1', label: 'library, l1.Sandbox', modules: LIBRARY, objects: { fixed: 0, each: 1 } },
  { id: 'stock-l1', label: 'stock import, Sandbox', modules: ['stock-import/sandboxes'], stock: true, objects: { fixed: 0, each: 1 } },
  { id: 'bare-cdk8s-pairs', label: 'cdk8s, untyped Sandbox + policy', modules: [], objects: { fixed: 0, each: 2 } },
  { id: 'library-l2', label: 'library, Sandbox + policy', modules: LIBRARY, objects: { fixed: 0, each: 2 } },
  { id: 'plus-deployment', label: 'cdk8s-plus, Deployment', modules: ['cdk8s-plus-33'], objects: { fixed: 0, each: 1 } },
  { id: 'library-l2-templates', label: 'library, template + claim', modules: LIBRARY, objects: { fixed: 0, each: 3 } },
  { id: 'library-l2-claims', label: 'library, claims of one pool', modules: LIBRARY, objects: { fixed: 2, each: 1 } },
  {
    id: 'stock-l1-claims',
    label: 'stock import, claims of one pool',
    modules: ['stock-import/sandboxclaims', 'stock-import/sandboxtemplates', 'stock-import/sandboxwarmpools'],
    stock: true,
    objects: { fixed: 2, each: 1 },
  },
];

/** Subjects that write the same manifests: what differs is how, not what. */
export const TWINS: readonly (readonly [string, string])[] = [
  ['library-l1', 'bare-cdk8s'],
  ['library-l1', 'stock-l1'],
  ['library-l2-claims', 'stock-l1-claims'],
];

/** The subjects of this library, which an earlier commit has, too. */
export const OWN: readonly Subject[] = SUBJECTS.filter(({ modules }) => modules === LIBRARY);

/** Id of a subject as of a revision. */
export function idAt(id: string, revision: string): string {
  return `${id}@${revision}`;
}
