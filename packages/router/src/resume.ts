import type { Logger, Writer } from 'agent-sandbox-kube';
import { RUNNING, SANDBOXES } from 'agent-sandbox-api';
import { cannotConnect, timedOut } from './refusal.js';
import type { KnownSandbox, Question, Targets } from './targets.js';

export interface ResumeOptions {
  readonly targets: Targets;
  readonly writer: Writer;
  /** Milliseconds that a request waits for the Sandbox. */
  readonly timeoutMs: number;
  readonly logger: Logger;
}

/** Resumes suspended Sandboxes. Requests for the same one at the same time cause one write, and all wait for it. */
export class Resume {
  private readonly running = new Map<string, Promise<void>>();

  constructor(private readonly options: ResumeOptions) {}

  /**
   * Resumes a Sandbox and waits until it can be reached. Throws a 504 if that takes too long, and a 502 if the Sandbox is gone,
   * has expired or cannot be written.
   */
  public async resume(question: Question, sandbox: KnownSandbox): Promise<void> {
    refuseExpired(question, sandbox);
    const uid = sandbox.metadata.uid!;
    let running = this.running.get(uid);
    // Another request may have done it while this caller's permission was asked for.
    if (running === undefined && this.options.targets.find(question) === 'suspended') {
      running = this.write(question, uid).finally(() => this.running.delete(uid));
      this.running.set(uid, running);
    }
    await running;
    await this.untilReady(question, sandbox);
  }

  private async write({ namespace, id }: Question, uid: string): Promise<void> {
    const { writer, logger } = this.options;
    try {
      // Both at once: either of them alone still says no, and the API refuses such half measures.
      await writer.mergePatch(SANDBOXES, { namespace, name: id }, { spec: RUNNING }, { uid });
      logger.info({ sandbox: `${namespace}/${id}` }, 'resumed for a request');
    } catch (error) {
      logger.error({ err: error, sandbox: `${namespace}/${id}` }, 'could not be resumed');
      throw cannotConnect(id);
    }
  }

  /** Waits until a Sandbox can be reached. Throws as `resume` does. */
  public async untilReady(question: Question, sandbox: KnownSandbox): Promise<void> {
    refuseExpired(question, sandbox);
    await this.ready(question);
  }

  private ready(question: Question): Promise<void> {
    const { targets, timeoutMs } = this.options;
    return new Promise((resolve, reject) => {
      const end = (error?: Error) => {
        clearTimeout(timer);
        forget();
        return error === undefined ? resolve() : reject(error);
      };
      const look = () => {
        const found = targets.find(question);
        if (found === 'unknown' || found === 'otherUid') {
          end(cannotConnect(question.id));
        } else if (found !== 'suspended' && found !== 'notReady') {
          end();
        }
      };
      const timer = setTimeout(() => end(timedOut(question.id)), timeoutMs);
      const forget = targets.onChange(key => key === `${question.namespace}/${question.id}` && look());
      look();
    });
  }
}

function refuseExpired({ id }: Question, { spec: { expiresAt } }: KnownSandbox): void {
  if (expiresAt !== undefined && expiresAt <= Date.now()) {
    throw cannotConnect(id);
  }
}
