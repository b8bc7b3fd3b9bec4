import { setImmediate as turn } from 'node:timers/promises';

/** More than the system holds for a reader by default: 208 KiB in a socket, 64 KiB in a terminal. */
export const MOST_UNREAD_BYTES = 1024 * 1024;

/** A stream that is being read. */
export interface Reading {
  /** Bytes that have been read. */
  readonly bytes: number;
  /** Settles when the reader is ready for more; absent while it is. */
  readonly busy?: Promise<unknown>;
}

/**
 * Resolves once all data that was written before the call has been read, and not before: when the stream is found empty, or, while
 * a process goes on writing, when more has arrived than the system can have buffered.
 */
export async function untilRead(reading: Reading, isOver: () => boolean): Promise<void> {
  const begin = reading.bytes;
  while (!isOver() && reading.bytes - begin <= MOST_UNREAD_BYTES) {
    if (reading.busy !== undefined) {
      await reading.busy;
      continue;
    }
    // A stream that was resumed is read from the next turn of the loop on. A whole turn without a byte means that there is none.
    await turn();
    const before = reading.bytes;
    await turn();
    if (reading.busy === undefined && reading.bytes === before) {
      return;
    }
  }
}
