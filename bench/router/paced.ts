import { Agent, get } from 'node:http';

export interface Pace {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Requests per second. */
  readonly rate: number;
  readonly seconds: number;
  /** Connections at most. */
  readonly connections: number;
}

/**
 * Sends requests at fixed times, one by one, whether answers are late or not. autocannon sends those of each second in one burst, and then
 * measures how long it takes to get through the burst. Times count from the moment when a request was due.
 */
export async function paced({ url, headers, rate, seconds, connections }: Pace): Promise<{ latenciesMs: number[]; failed: number }> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const latenciesMs: number[] = [];
  let failed = 0;
  const pending: Promise<void>[] = [];
  const ask = (dueAt: number) => new Promise<void>(resolve => {
    get(url, { headers, agent }, answer => {
      answer.resume().on('close', () => {
        if (answer.statusCode === 200) {
          latenciesMs.push(performance.now() - dueAt);
        } else {
          failed++;
        }
        resolve();
      });
    }).on('error', () => {
      failed++;
      resolve();
    });
  });
  const begin = performance.now();
  for (let sent = 0; sent < rate * seconds;) {
    const due = Math.min(Math.floor((performance.now() - begin) * rate / 1000), rate * seconds);
    for (; sent < due; sent++) {
      pending.push(ask(begin + sent * 1000 / rate));
    }
    await new Promise(resolve => setTimeout(resolve, 1));
  }
  await Promise.all(pending);
  agent.destroy();
  return { latenciesMs, failed };
}
