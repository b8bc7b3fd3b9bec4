import { failed, type Outcome } from '../reconcile/plan.js';

/** For how long a refusal holds: a namespace that is being terminated stays so, and one of its name may come later. */
const MEMORY_MS = 30_000;

/** Upper bound on namespaces that something is known of, besides those with a create on its way. */
const MOST = 1000;

/** Cached state of a namespace in which creates may be refused. */
interface State {
  /** Number of reasons for doubt so far. */
  doubts: number;
  /** Whether a create is on its way whose answer the others wait for. */
  probing: boolean;
  readonly waiting: (() => void)[];
  /** Until when nothing is sent, on the monotonic clock. */
  terminatingUntil?: number;
}

/**
 * Holds back creates in namespaces that may be ending. The API server refuses every create in a namespace that is being terminated,
 * and the controller may not watch namespaces. So when an object that it keeps is deleted by another client, the next create of that
 * namespace goes alone: its answer says whether the namespace goes on, or whether all that wait for it would be refused, too.
 */
export class NamespaceGate {
  private readonly states = new Map<string, State>();

  /** @param monotonic milliseconds on a monotonic clock */
  constructor(private readonly monotonic: () => number) {}

  /** The namespace may be ending: the next create in it goes alone. */
  public doubt(namespace: string): void {
    this.stateOf(namespace).doubts++;
  }

  /** Sends a create, possibly after another one of its namespace; fails without sending it where the namespace is known to end. */
  public async create(namespace: string, send: () => Promise<Outcome>): Promise<Outcome> {
    for (let state = this.states.get(namespace); state !== undefined; state = this.states.get(namespace)) {
      if (state.terminatingUntil !== undefined && state.terminatingUntil > this.monotonic()) {
        return failed('NamespaceTerminating', `the namespace "${namespace}" is being terminated`);
      }
      if (!state.probing) {
        return this.probe(namespace, state, send);
      }
      await new Promise<void>(resolve => state!.waiting.push(resolve));
    }
    const outcome = await send();
    if (isRefused(outcome)) {
      this.close(namespace);
    }
    return outcome;
  }

  private async probe(namespace: string, state: State, send: () => Promise<Outcome>): Promise<Outcome> {
    state.probing = true;
    const { doubts } = state;
    try {
      const outcome = await send();
      if (isRefused(outcome)) {
        this.close(namespace);
      } else if (isAccepted(outcome) && state.doubts === doubts) {
        this.states.delete(namespace);
      }
      return outcome;
    } finally {
      state.probing = false;
      state.waiting.splice(0).forEach(proceed => proceed());
    }
  }

  private close(namespace: string): void {
    const state = this.stateOf(namespace);
    state.terminatingUntil = this.monotonic() + MEMORY_MS;
  }

  private stateOf(namespace: string): State {
    const known = this.states.get(namespace);
    if (known !== undefined) {
      return known;
    }
    this.forgetOldest();
    const state: State = { doubts: 0, probing: false, waiting: [] };
    this.states.set(namespace, state);
    return state;
  }

  /** Namespaces come and go without another create. */
  private forgetOldest(): void {
    const oldest = this.states.size < MOST ? undefined : [...this.states].find(([, { probing }]) => !probing);
    if (oldest !== undefined) {
      this.states.delete(oldest[0]);
    }
  }
}

/** Whether the namespace takes new objects: its phase is checked before what the object itself says. */
function isAccepted(outcome: Outcome): boolean {
  return outcome.ok || outcome.failure.reason === 'Invalid' || outcome.failure.reason === 'AlreadyExists';
}

function isRefused(outcome: Outcome): boolean {
  return !outcome.ok && outcome.failure.reason === 'NamespaceTerminating';
}
