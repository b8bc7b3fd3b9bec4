import type { Chart } from 'cdk8s';

/** The chart that the object of this name goes to: always the same one, or one for each name. */
export type ChartFor = (name: string) => Chart;
