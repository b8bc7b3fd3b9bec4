import { RequestPriority } from '../src/shell/request-priority.js';

/** Requests in flight that the test ends. */
class Requests {
  public readonly started: string[] = [];
  private readonly ends = new Map<string, () => void>();

  public send = (name: string) => async () => {
    this.started.push(name);
    await new Promise<void>(resolve => this.ends.set(name, resolve));
    return name;
  };

  public async end(name: string): Promise<void> {
    this.ends.get(name)!();
    await settled();
  }
}

const settled = () => new Promise(resolve => setImmediate(resolve));
const names = (prefix: string, count: number) => Array.from({ length: count }, (_, i) => `${prefix}${i}`);

describe('requests that can wait', () => {
  test('yield while there are others, but never all of them, and go in their order', async () => {
    const [requestPriority, requests] = [new RequestPriority(), new Requests()];
    void requestPriority.normal(requests.send('urgent'));
    const results = names('later', 6).map(name => requestPriority.low(requests.send(name)));
    await settled();
    expect(requests.started).toEqual(['urgent', ...names('later', 4)]);
    await requests.end('later0');
    expect(requests.started.at(-1)).toBe('later4');
    await requests.end('urgent');
    expect(requests.started.at(-1)).toBe('later5');
    await Promise.all(names('later', 5).map((_, i) => requests.end(`later${i + 1}`)));
    expect(await Promise.all(results)).toEqual(names('later', 6));
  });

  test('leave connections free for others, which never wait for them', async () => {
    const [requestPriority, requests] = [new RequestPriority(), new Requests()];
    names('later', 30).forEach(name => void requestPriority.low(requests.send(name)));
    await settled();
    expect(requests.started).toHaveLength(24);
    void requestPriority.normal(requests.send('urgent'));
    expect(requests.started.at(-1)).toBe('urgent');
  });

  test('make room when they fail', async () => {
    const requestPriority = new RequestPriority();
    const fail = () => Promise.reject(new Error('no'));
    await expect(Promise.allSettled(names('later', 60).map(() => requestPriority.low(fail)))).resolves.toHaveLength(60);
    await expect(requestPriority.normal(fail)).rejects.toThrow('no');
    expect(await requestPriority.low(async () => 'done')).toBe('done');
  });
});
