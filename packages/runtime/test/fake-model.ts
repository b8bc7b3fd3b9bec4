import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What the model says in one turn: a text, or actions. */
export type Turn = string | readonly { readonly name: string; readonly args?: object }[] | { readonly status: number } | { readonly raw: object };

export interface ModelRequest {
  readonly path: string;
  readonly key: string | undefined;
  readonly body: any;
}

/** A server that speaks `generateContent` of the Gemini API and follows a script. */
export class FakeModel {
  public readonly requests: ModelRequest[] = [];
  /** Called when the model is asked: what happened until then belongs to the turn before. */
  public onRequest: () => void = () => undefined;
  private turns: Turn[] = [];
  private readonly server: Server;

  constructor() {
    this.server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.once('end', () => {
        this.onRequest();
        this.requests.push({ path: request.url!, key: request.headers['x-goog-api-key'] as string | undefined, body: JSON.parse(Buffer.concat(chunks).toString()) });
        const turn = this.turns.length > 1 ? this.turns.shift()! : this.turns[0]!;
        const status = typeof turn === 'object' && 'status' in turn ? turn.status : 200;
        response.writeHead(status, { 'content-type': 'application/json' });
        response.end(JSON.stringify(status === 200 ? answer(turn) : { error: { code: status, message: `no, ${request.headers['x-goog-api-key']}`, status: 'FAILED' } }));
      });
    });
  }

  public async listen(): Promise<string> {
    await new Promise<void>(resolve => this.server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** What to say, turn by turn; the last turn is repeated. */
  public script(...turns: Turn[]): void {
    this.turns = turns;
    this.requests.length = 0;
  }

  /** The answers to the actions of a turn, counted from 0. */
  public responses(turn: number): any[] {
    return this.requests[turn + 1]!.body.contents.at(-1).parts.map((part: any) => part.functionResponse);
  }

  public close(): void {
    this.server.closeAllConnections();
    this.server.close();
  }
}

function answer(turn: Turn): object {
  if (typeof turn === 'object' && 'raw' in turn) {
    return turn.raw;
  }
  const parts = typeof turn === 'string' ? [{ text: turn }]
    : [{ text: 'thinking aloud', thought: true }, { text: 'I act.' }, ...(turn as { name: string; args?: object }[]).map(({ name, args }, index) => ({ functionCall: { id: `call-${index}`, name, args: args ?? {} } }))];
  return { candidates: [{ content: { role: 'model', parts }, finishReason: 'STOP', index: 0 }], modelVersion: 'fake' };
}
