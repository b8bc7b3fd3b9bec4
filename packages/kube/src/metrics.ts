/**
 * Hooks that a program connects to its metrics library. All are optional and called synchronously on hot paths, so they must be
 * quick and must not throw.
 */

/** One HTTP exchange with the API server; a request that is retried has several. */
export interface RequestObservation {
  readonly verb: string;
  /** Group of the resource; empty for the core group and for paths outside of resources. */
  readonly group: string;
  /** Plural name of the resource, or the path if it is none. */
  readonly resource: string;
  /** Empty if none. */
  readonly subresource: string;
  readonly namespace: string;
  /** HTTP status; 0 if there was no answer. */
  readonly code: number;
  /** Milliseconds until the answer was read; of a watch, until it began. */
  readonly durationMs: number;
}

export interface RequestMetrics {
  readonly request?: (exchange: RequestObservation) => void;
  /** A request waited for the client-side rate limiter. */
  readonly throttled?: (waitMs: number) => void;
}

export interface InformerMetrics {
  /** A list was read completely. */
  readonly listed?: (resource: string, objects: number, durationMs: number) => void;
  /** A watch ended; `why` is `closed` (by the server, as planned), `gone` (too old) or `failed`. */
  readonly watchEnded?: (resource: string, why: 'closed' | 'gone' | 'failed') => void;
  /** A change arrived by watch. */
  readonly event?: (resource: string, type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK') => void;
}

/** Measurements of a work queue, as client-go makes them. All durations are in seconds. */
export interface QueueMetrics {
  /** Keys that wait, after every change. */
  readonly depth?: (queue: string, depth: number) => void;
  readonly added?: (queue: string) => void;
  /** A key waited this long before a worker took it. */
  readonly queueDuration?: (queue: string, seconds: number) => void;
  /** A worker was done with a key after this long. */
  readonly workDuration?: (queue: string, seconds: number) => void;
  /** A key was put back because its work failed. */
  readonly retried?: (queue: string) => void;
}

/** Names that client-go gives these measurements in Prometheus; each has the label `name`, the queue's. */
export const QUEUE_METRIC_NAMES = {
  depth: 'workqueue_depth',
  added: 'workqueue_adds_total',
  queueDuration: 'workqueue_queue_duration_seconds',
  workDuration: 'workqueue_work_duration_seconds',
  retried: 'workqueue_retries_total',
  /** Gauge, `WorkQueue.unfinishedWorkSeconds`. */
  unfinishedWork: 'workqueue_unfinished_work_seconds',
  /** Gauge, `WorkQueue.longestRunningSeconds`. */
  longestRunning: 'workqueue_longest_running_processor_seconds',
} as const;

/** Measurements of the workers of one controller. */
export interface WorkerMetrics {
  /** One run ended; `result` is one of controller-runtime's label values. */
  readonly reconciled?: (controller: string, result: 'success' | 'requeue_after' | 'error', seconds: number) => void;
  /** Workers that are busy, after every change. */
  readonly active?: (controller: string, workers: number) => void;
}
