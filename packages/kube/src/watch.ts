import type { Readable } from 'node:stream';
import type { KubeObject } from 'agent-sandbox-api';
import type { Status } from './errors.js';

/** One line of a watch. A `BOOKMARK` carries nothing but a resource version, an `ERROR` a Status. */
export type WatchEvent<T extends KubeObject> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'; readonly object: T }
  | { readonly type: 'ERROR'; readonly object: Status };

/** Bytes of one line, far above what etcd can store (1.5 MiB by default): more is not a watch. */
const LONGEST_LINE = 32 * 1024 * 1024;

const NEWLINE = 0x0a;

/**
 * Reads the answer of a watch: the events of each piece that arrives, in order. Ends with the answer; throws what the stream
 * throws, and an error for a line that is too long or not JSON.
 */
export async function* watchEvents<T extends KubeObject>(stream: Readable): AsyncGenerator<WatchEvent<T>[], void> {
  let rest: Buffer[] = [];
  let restLength = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    const events: WatchEvent<T>[] = [];
    let begin = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, begin)) {
      const line = chunk.subarray(begin, end);
      const text = (rest.length > 0 ? Buffer.concat([...rest, line]) : line).toString('utf8');
      rest = [];
      restLength = 0;
      begin = end + 1;
      if (text.trim()) {
        events.push(JSON.parse(text));
      }
    }
    if (begin < chunk.length) {
      rest.push(chunk.subarray(begin));
      restLength += chunk.length - begin;
      if (restLength > LONGEST_LINE) {
        throw new Error(`a line of a watch is longer than ${LONGEST_LINE} bytes`);
      }
    }
    if (events.length > 0) {
      yield events;
    }
  }
}
