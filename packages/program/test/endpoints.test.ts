import { expect, test } from '@jest/globals';
import { Endpoints } from '../src/endpoints.js';
import { FlagError } from '../src/flag-error.js';

test('endpoints answer GET and HEAD for their paths, with or without a slash at the end', async () => {
  const endpoints = new Endpoints('127.0.0.1:0', {
    '/readyz': () => ({ status: 503, text: 'not yet' }),
    '/healthz': () => ({ status: 200, text: 'ok' }),
    '/fails': () => Promise.reject(new Error('no')),
  });
  await endpoints.bind();
  const status = async (path: string, method = 'GET') => (await fetch(`http://127.0.0.1:${endpoints.port}${path}`, { method })).status;
  try {
    expect(await Promise.all(['/readyz', '/healthz', '/healthz/', '/healthz?verbose', '/', '/toString', '/fails'].map(path => status(path))))
      .toEqual([503, 200, 200, 200, 404, 404, 500]);
    expect(await Promise.all(['HEAD', 'POST'].map(method => status('/healthz', method)))).toEqual([200, 405]);
  } finally {
    endpoints.close();
  }
});

test.each(['0', ''])('the address "%s" turns endpoints off', async address => {
  const endpoints = new Endpoints(address, {});
  await endpoints.bind();
  expect(endpoints.port).toBeUndefined();
  endpoints.close();
});

test.each(['nowhere', '127.0.0.1', ':65536', ':http'])('refuses the address "%s"', async address => {
  const failure = new Endpoints(address, {}).bind();
  await expect(failure).rejects.toThrow(FlagError);
  await expect(failure).rejects.toThrow(`the address "${address}" has no port: give host:port or :port`);
});
