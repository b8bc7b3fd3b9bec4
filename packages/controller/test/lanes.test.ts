import { Lanes } from '../src/shell/lanes.js';

/** Requests under way that end when they are told to. */
class Requests {
  public readonly started: string[] = [];
  private readonly ends = new Map<string, () => void>();

  public send = (name: string) => async () => {
    this.started.push(name);
    await new Promise<void>((resolve) => this.ends.set(name, resolve));
    return name;
  };

  public async end(name: string): Promise<void> {
    this.ends.get(name)!();
    await settled();
  }
}

const settled = () => new Promise((resolve) => setImmediate(resolve));
const names = (prefix: string, count: number) => Array.from({ length: count }, (_, i) => `${prefix}${i}`);

describe('requests that can wait', () => {
  test('yield while there are others, but never all of them, and go in their order', async () => {
    const [lanes, requests] = [new Lanes(), new Requests()];
    void lanes.now(requests.send('urgent'));
    const results = names('later', 6).map((name) => lanes.later(requests.send(name)));
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
    const [lanes, requests] = [new Lanes(), new Requests()];
    names('later', 30).forEach((name) => void lanes.later(requests.send(name)));
    await settled();
    expect(requests.started).toHaveLength(24);
    void lanes.now(requests.send('urgent'));
    expect(requests.started.at(-1)).toBe('urgent');
  });

  test('make room when they fail', async () => {
    const lanes = new Lanes();
    const fail = () => Promise.reject(new Error('no'));
    await expect(Promise.allSettled(names('later', 60).map(() => lanes.later(fail)))).resolves.toHaveLength(60);
    await expect(lanes.now(fail)).rejects.toThrow('no');
    expect(await lanes.later(async () => 'done')).toBe('done');
  });
});
