/** Milliseconds that the end of a process is held up. */
const LONGEST_CLEANUP_MS = 10_000;
/** Listeners of all hooks: a program may have several clients, of which none is the program itself. */
const HOOKS = new WeakSet<object>();
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;

/**
 * Runs a clean-up before the process ends: by a signal, by an error that nothing caught, or because the event loop ran empty while
 * something was still awaited. Not by `process.exit()` and SIGKILL, which leave no time.
 *
 * A process without listeners of its own then ends as it would have ended without this hook: by the same signal, or with code 1 and the
 * error on stderr. Otherwise the end is left to those listeners.
 */
export class ExitHook {
  private isArmed = false;
  private running?: Promise<void>;

  constructor(private readonly cleanUp: () => Promise<void>) {
    [this.onSignal, this.onError].forEach(listener => HOOKS.add(listener));
  }

  public arm(): void {
    if (!this.isArmed) {
      this.isArmed = true;
      SIGNALS.forEach(name => process.on(name, this.onSignal));
      process.on('uncaughtException', this.onError);
      process.on('beforeExit', this.onEmpty);
    }
  }

  public disarm(): void {
    if (this.isArmed) {
      this.isArmed = false;
      SIGNALS.forEach(name => process.off(name, this.onSignal));
      process.off('uncaughtException', this.onError);
      process.off('beforeExit', this.onEmpty);
    }
  }

  private readonly onSignal = (name: NodeJS.Signals) => {
    const isOurs = this.isOnlyListener(name);
    void this.run().then(() => {
      this.disarm();
      // The last of several hooks ends the process; the others have no listeners left by then.
      if (isOurs && process.listenerCount(name) === 0) {
        process.kill(process.pid, name);
      }
    });
  };

  private readonly onError = (error: unknown) => {
    const isOurs = this.isOnlyListener('uncaughtException');
    if (isOurs && process.listeners('uncaughtException')[0] === this.onError) {
      console.error(error);
    }
    void this.run().then(() => {
      this.disarm();
      if (isOurs && process.listenerCount('uncaughtException') === 0) {
        process.exit(1);
      }
    });
  };

  private readonly onEmpty = () => void this.run().then(() => this.disarm());

  private isOnlyListener(event: string): boolean {
    return process.listeners(event as 'SIGINT').every(listener => HOOKS.has(listener));
  }

  private run(): Promise<void> {
    return this.running ??= new Promise<void>(resolve => {
      const timer = setTimeout(resolve, LONGEST_CLEANUP_MS);
      this.cleanUp().catch(() => undefined).finally(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}
