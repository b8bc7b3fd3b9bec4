/** An error response of the router instead of one of the sandbox. The texts are those of the other routers: clients compare them. */
export class Refusal extends Error {
  constructor(public readonly status: number, detail: string, public readonly headers: Readonly<Record<string, string | string[]>> = {}) {
    super(detail);
    this.name = 'Refusal';
  }

  /** The body of the answer. */
  public get body(): string {
    return `${JSON.stringify({ detail: this.message })}\n`;
  }

  /** The body for a browser that opens a page. */
  public get page(): string {
    const text = this.message.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
    return `<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>${this.status}</title><h1>${this.status}</h1><p>${text}</p></html>\n`;
  }
}

export const badRequest = (detail: string) => new Refusal(400, detail);
export const unauthenticated = (detail = 'unauthenticated') => new Refusal(401, detail);
export const forbidden = (detail = 'forbidden') => new Refusal(403, detail);
export const tooManyRequests = (detail: string) => new Refusal(429, detail, { 'retry-after': '1' });
export const tooLarge = (limit: number) => new Refusal(413, `The request body is longer than ${limit} bytes.`);
export const cannotConnect = (id: string) => new Refusal(502, `Could not connect to the backend sandbox: ${id}`);
export const timedOut = (id: string) => new Refusal(504, `Timed out waiting for the backend sandbox: ${id}`);
export const unexpectedUpgrade = () =>
  new Refusal(502, 'Backend attempted a WebSocket upgrade over HTTP. Connect using the WebSocket protocol instead.');
export const internalError = () => new Refusal(500, 'An internal error occurred in the proxy.');

/** An answer that sends a browser elsewhere, and leaves no trace of the address that it had. */
export function redirect(location: string, more: Readonly<Record<string, string | string[]>> = {}): Refusal {
  return new Refusal(302, 'Go on at the address in Location.', { location, 'cache-control': 'no-store', 'referrer-policy': 'no-referrer', ...more });
}
