import type { Duration } from 'cdk8s';
import type * as l1 from '../../imports';
import { checkCalls, Problems, time } from '../checks';

/** What happens to an object at the end of its lifetime. Its Pod is removed in every case. */
export enum ShutdownPolicy {
  /** The object is deleted, and with it the volumes of the sandbox. */
  DELETE = 'Delete',

  /** Claims only: the object is deleted after everything that belongs to it is gone. */
  DELETE_FOREGROUND = 'DeleteForeground',

  /** The object stays; a Sandbox keeps its volumes as well. */
  RETAIN = 'Retain',
}

/** Options of a lifetime. */
export interface LifetimeOptions {
  /**
   * What happens at the end.
   *
   * @default - ShutdownPolicy.RETAIN (the API server sets it)
   */
  readonly onExpiry?: ShutdownPolicy;
}

/**
 * When a Sandbox or a claim ends. Times are absolute, or counted from the end of the work: a time counted from
 * synthesis would change the manifest with every run.
 */
export class Lifetime {
  /**
   * Ends at a point in time.
   *
   * @param shutdownTime RFC 3339 with a zone: `2027-01-31T17:00:00Z`
   * @param options what happens then
   * @throws if the time is not well-formed, has no zone or does not exist
   */
  public static until(shutdownTime: string, options: LifetimeOptions = {}): Lifetime {
    return new Lifetime('until', shutdownTime, undefined, options.onExpiry);
  }

  /**
   * Claims only: ends some time after the Pod's work has finished, whether it succeeded or failed. A Pod that is always
   * restarted, which is the default, never finishes: give the template another `restartPolicy`, or an `activeDeadline`.
   *
   * @param ttl whole seconds, 0 (at once) to 2147483647
   * @param options what happens then
   * @throws if the duration is not in whole seconds
   */
  public static afterFinished(ttl: Duration, options: LifetimeOptions = {}): Lifetime {
    return new Lifetime('afterFinished', undefined, ttl, options.onExpiry);
  }

  private constructor(
    method: string,
    /** The point in time, if there is one. */
    public readonly shutdownTime: string | undefined,
    /** Time from the end of the work, if it counts. */
    public readonly ttlAfterFinished: Duration | undefined,
    /** What happens at the end. */
    public readonly onExpiry: ShutdownPolicy | undefined,
  ) {
    const problems = Problems.of(`Lifetime.${method}`);
    problems.check('shutdownTime', shutdownTime, time);
    const seconds = ttlAfterFinished?.toSeconds({ integral: false });
    if (seconds !== undefined && (!Number.isInteger(seconds) || seconds > 2 ** 31 - 1)) {
      problems.add('ttl', `${seconds}s`, 'use whole seconds from 0 to 2147483647');
    }
    problems.throwIfAny();
  }

  /**
   * The same lifetime, ending at a point in time at the latest.
   *
   * @param shutdownTime RFC 3339 with a zone
   * @throws if the time is not well-formed, has no zone or does not exist
   */
  public orUntil(shutdownTime: string): Lifetime {
    return new Lifetime('orUntil', shutdownTime, this.ttlAfterFinished, this.onExpiry);
  }

  /** @internal */
  public _forClaim(): l1.SandboxClaimLifecycle {
    return {
      shutdownTime: this.shutdownTime,
      ttlSecondsAfterFinished: this.ttlAfterFinished?.toSeconds(),
      shutdownPolicy: this.onExpiry as l1.SandboxClaimLifecycleShutdownPolicy | undefined,
    };
  }

  /** @internal */
  public _forSandbox(problems: Problems): Pick<l1.SandboxSpec, 'shutdownTime' | 'shutdownPolicy'> {
    if (this.ttlAfterFinished) {
      problems.add('lifetime', 'afterFinished', 'a Sandbox ends at a point in time only: use Lifetime.until(…), or a SandboxClaim');
    }
    if (this.onExpiry === ShutdownPolicy.DELETE_FOREGROUND) {
      problems.add('lifetime.onExpiry', this.onExpiry, 'a Sandbox knows ShutdownPolicy.DELETE and ShutdownPolicy.RETAIN');
    }
    return { shutdownTime: this.shutdownTime, shutdownPolicy: this.onExpiry as string as l1.SandboxSpecShutdownPolicy | undefined };
  }
}
checkCalls(Lifetime);
