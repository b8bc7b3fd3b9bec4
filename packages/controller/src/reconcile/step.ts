import { stage, type Outcome, type Plan, type Request } from './plan.js';

/**
 * A part of a plan that ends with a value: either the value, or requests and what follows from their outcomes. Steps that
 * do not depend on each other run side by side (`all`), the others one after the other (`then`).
 */
export type Step<T> =
  | { readonly done: true; readonly value: T }
  | { readonly done: false; readonly requests: readonly Request[]; readonly next: (outcomes: readonly Outcome[]) => Step<T> };

/** A step that needs nothing. */
export function value<T>(result: T): Step<T> {
  return { done: true, value: result };
}

/** A step that sends one request and goes on with its outcome. */
export function ask<T>(request: Request, next: (outcome: Outcome) => Step<T>): Step<T> {
  return { done: false, requests: [request], next: ([outcome]) => next(outcome!) };
}

/** A step after another one. */
export function andThen<A, B>(step: Step<A>, next: (result: A) => Step<B>): Step<B> {
  return step.done ? next(step.value) : { ...step, next: outcomes => andThen(step.next(outcomes), next) };
}

/** Steps side by side; the values come in the order of the steps. */
export function all<T extends readonly unknown[]>(steps: { readonly [K in keyof T]: Step<T[K]> }): Step<T> {
  const list = steps as readonly Step<unknown>[];
  if (list.every(step => step.done)) {
    return value(list.map(step => (step as { value: unknown }).value) as unknown as T);
  }
  const requests = list.flatMap(step => (step.done ? [] : step.requests));
  return {
    done: false,
    requests,
    next: outcomes => {
      let from = 0;
      const following = list.map(step => (step.done ? step : step.next(outcomes.slice(from, (from += step.requests.length)))));
      return all(following as unknown as { readonly [K in keyof T]: Step<T[K]> });
    },
  };
}

/** The plan that takes a step and ends with what follows from its value. */
export function planOf<T, M = undefined>(step: Step<T>, last: (result: T) => Plan<M>): Plan<M> {
  return step.done ? last(step.value) : stage(step.requests, outcomes => planOf(step.next(outcomes), last));
}
