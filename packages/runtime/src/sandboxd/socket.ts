import type { RawData, WebSocket } from 'ws';
import type { Child } from '../process/child.js';
import type { Runtime } from '../runtime.js';
import { ProcessError, processErrorOf } from './errors.js';
import { ClientMessage, FirstMessage, parseMessage, type InputMessage, type StartMessage } from './messages.js';
import { jsonEvent } from './process-json.js';
import { HEARTBEAT_MS, MAX_WAITING_BYTES, resize, runProcess, sendSignal, startProcess, writeStdin, type ProcessOutput } from './process.js';

/** Largest message of a client. */
export const MAX_SOCKET_MESSAGE_BYTES = 1024 * 1024;
/** How long a client may take to say what to start. */
const START_WITHIN_MS = 10_000;
/** Pings in a row without an answer after which a client counts as gone: a paused one may be slow. */
const MOST_UNANSWERED = 6;
/** Bytes on their way to a client before the program has to wait. */
const MAX_BUFFERED_BYTES = 1024 * 1024;

/** One process and its input over one WebSocket, see PROTOCOL.md. */
export function handleSocket(runtime: Runtime, socket: WebSocket): void {
  const session = new Session(runtime, socket);
  const timer = setTimeout(() => session.fail(new ProcessError('invalid_argument', `no start within ${START_WITHIN_MS / 1000} s`)), START_WITHIN_MS);
  socket.once('message', () => clearTimeout(timer));
  socket.on('message', (data, binary) => session.receive(data, binary));
  socket.on('error', () => socket.terminate());
  let unanswered = 0;
  const heartbeat = setInterval(() => {
    if (++unanswered > MOST_UNANSWERED) {
      // The client vanished without a close frame; its program would run forever.
      socket.terminate();
    } else if (socket.readyState === socket.OPEN) {
      socket.ping();
    }
  }, HEARTBEAT_MS);
  ['message', 'ping', 'pong'].forEach(event => socket.on(event, () => (unanswered = 0)));
  socket.once('close', () => {
    clearTimeout(timer);
    clearInterval(heartbeat);
    session.hangUp.abort();
  });
}

class Session {
  public readonly hangUp = new AbortController();
  private child?: Child;
  private started = false;
  /** Messages that came while the program was being started. */
  private readonly early: (() => void)[] = [];

  constructor(private readonly runtime: Runtime, private readonly socket: WebSocket) {}

  public receive(data: RawData, binary: boolean): void {
    try {
      if (binary) {
        throw new ProcessError('invalid_argument', 'messages are texts');
      }
      if (!this.started) {
        this.started = true;
        const { start } = parseMessage(FirstMessage, String(data));
        this.run(start).catch((error: unknown) => this.fail(processErrorOf(error)));
        return;
      }
      const message = parseMessage(ClientMessage, String(data));
      const act = () => this.act(message).catch((error: unknown) => this.tellError(processErrorOf(error)));
      if (this.child) {
        void act();
      } else {
        this.early.push(act);
      }
    } catch (error) {
      const failure = processErrorOf(error);
      if (this.child) {
        this.tellError(failure);
      } else {
        this.fail(failure);
      }
    }
  }

  /** Ends the connection with an error. */
  public fail(error: ProcessError): void {
    this.tellError(error);
    this.socket.close(error.code === 'internal' || error.code === 'unavailable' ? 1011 : 1008, error.code);
  }

  private async run(start: StartMessage): Promise<void> {
    const { id, child } = await startProcess(this.runtime, start, { stdin: true });
    const tell = (event: ProcessOutput) => this.tell(jsonEvent(event));
    const running = runProcess(this.runtime, { id, child, config: start.config, tell, signal: this.hangUp.signal });
    this.child = child;
    this.early.splice(0).forEach(act => act());
    await running;
    this.socket.close(1000, 'exit');
  }

  private async act(message: InputMessage): Promise<void> {
    const child = this.child!;
    if ('input' in message || 'eof' in message) {
      const written = writeStdin(child, 'input' in message ? message.input : undefined);
      if ((child.stdin?.waiting ?? 0) > MAX_WAITING_BYTES / 2) {
        // The program does not read: let the client wait instead of the input.
        this.socket.pause();
        void written.catch(() => undefined).finally(() => this.socket.resume());
      }
      await written;
    } else if ('signal' in message) {
      sendSignal(child, message.signal);
    } else {
      resize(child, message.resize.cols, message.resize.rows);
    }
  }

  /** Resolves when there is room for more. */
  private tell(event: unknown): Promise<void> | undefined {
    if (this.socket.readyState !== this.socket.OPEN) {
      return undefined;
    }
    return new Promise(resolve => {
      this.socket.send(JSON.stringify(event), () => resolve());
      if (this.socket.bufferedAmount < MAX_BUFFERED_BYTES) {
        resolve();
      }
    });
  }

  private tellError({ code, message }: ProcessError): void {
    void this.tell({ error: { code, message } });
  }
}
