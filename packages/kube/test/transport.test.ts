import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Transport } from '../src/transport.js';

test('connections with earlier certificates end with what is under way on them, and with the transport', async () => {
  const answers: ServerResponse[] = [];
  const server = createServer((_, answer) => answers.push(answer)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  let certificate = 'first';
  const transport = new Transport({ server: origin, access: () => ({ headers: {}, tls: { cert: certificate } }), reject: () => undefined });
  const begin = async () => {
    const { dispatcher } = await transport.acquire('watch');
    const before = answers.length;
    const answer = dispatcher.request({ origin, path: '/', method: 'GET' }).then(({ body }) => body.text());
    answer.catch(() => undefined);
    while (answers.length === before) {
      await once(server, 'request');
    }
    return { dispatcher, answer };
  };
  try {
    const [ending, hanging] = [await begin(), await begin()];
    certificate = 'second';
    const renewed = await begin();
    expect(renewed.dispatcher).not.toBe(ending.dispatcher);

    answers[0]!.end('done');
    expect(await ending.answer).toBe('done');
    await transport.close();
    await expect(hanging.answer).rejects.toThrow();
    await expect(renewed.answer).rejects.toThrow();
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
