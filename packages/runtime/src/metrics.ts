import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

export type Outcome = 'exit' | 'signal' | 'timeout' | 'failed';

/** The metrics of `/metrics`. Labels come from fixed sets: neither paths nor commands are in them. */
export class Metrics {
  public readonly registry = new Registry();
  private readonly requests: Histogram;
  private readonly commands: Counter;

  constructor(running: () => number) {
    collectDefaultMetrics({ register: this.registry });
    this.requests = new Histogram({
      name: 'agent_sandbox_runtime_request_duration_seconds',
      help: 'Time from the headers of a request to the end of its answer',
      labelNames: ['method', 'route', 'status'],
      buckets: [0.005, 0.025, 0.1, 0.5, 1, 5, 30, 120, 600],
      registers: [this.registry],
    });
    this.commands = new Counter({
      name: 'agent_sandbox_runtime_commands_total',
      help: 'Commands by how they ended: exit, signal, timeout, failed (not started)',
      labelNames: ['outcome'],
      registers: [this.registry],
    });
    new Gauge({
      name: 'agent_sandbox_runtime_commands_running',
      help: 'Commands that run now',
      registers: [this.registry],
      collect() {
        this.set(running());
      },
    });
  }

  /** `route` is the route's template. */
  public requestEnded(method: string, route: string, status: number, seconds: number): void {
    this.requests.observe({ method, route, status }, seconds);
  }

  public commandEnded(outcome: Outcome): void {
    this.commands.inc({ outcome });
  }
}
