import { Session } from 'node:inspector';

/**
 * How often functions and blocks of `src` run during a call: the same number each time, however fast the machine is. Loops inside of built-in functions
 * do not count, their callbacks do.
 */
export function workOf(call: () => unknown): number {
  const session = new Session();
  session.connect();
  const post = (method: string, params?: object): any => {
    let answer: any;
    session.post(method, params, (error: Error | null, result: unknown) => {
      if (error) {
        throw error;
      }
      answer = result;
    });
    return answer;
  };
  post('Profiler.enable');
  post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  // What was counted before is not of this call.
  post('Profiler.takePreciseCoverage');
  call();
  const { result } = post('Profiler.takePreciseCoverage');
  post('Profiler.stopPreciseCoverage');
  session.disconnect();
  return result.filter(({ url }: { url: string }) => /\/src\//.test(url) && !url.includes('/node_modules/'))
    .flatMap((script: any) => script.functions.flatMap((each: any) => each.ranges))
    .reduce((sum: number, { count }: { count: number }) => sum + count, 0);
}
