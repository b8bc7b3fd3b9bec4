/** One row of the matrix: the tests run on what it names, everything else is as in development. */
export interface Row {
  readonly name: string;
  /** Major version of Node.js that runs the tests. @default - the Node.js that runs this program */
  readonly node?: string;
  /** Peer dependencies of the constructs: those of development, which are the oldest allowed, or the newest allowed. @default oldest */
  readonly peers?: 'oldest' | 'newest';
  /** Release of Kubernetes, for the suites that talk to a control plane. @default - the release that the testbed pins */
  readonly kubernetes?: string;
}

/** The matrix. `.projenrc.ts` writes a job of the workflow `matrix` for each row. */
export const ROWS: readonly Row[] = [
  { name: 'node-20', node: '20' },
  { name: 'node-22', node: '22' },
  { name: 'node-24', node: '24' },
  { name: 'peers-oldest', peers: 'oldest' },
  { name: 'peers-newest', peers: 'newest' },
  { name: 'kubernetes-1.31', kubernetes: '1.31' },
  { name: 'kubernetes-1.34', kubernetes: '1.34' },
  { name: 'kubernetes-newest', kubernetes: 'newest' },
];
