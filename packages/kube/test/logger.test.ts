import { ApiError, ConnectionError, briefErrors } from '../src/index.js';

const full = (error: Error) => ({ stack: error.stack });
const brief = briefErrors(full, error => error instanceof RangeError);

test('what the API server or the network says is logged without a stack, and once', () => {
  expect(brief(new ApiError('list pods', 403, { reason: 'Forbidden', message: 'no' }))).toEqual({ type: 'ApiError', message: 'list pods: 403 Forbidden: no', code: 403 });
  const cause = Object.assign(new Error('connect ECONNREFUSED ::1:1'), { code: 'ECONNREFUSED' });
  expect(brief(new ConnectionError('list pods', cause))).toEqual({ type: 'ConnectionError', message: 'list pods: connect ECONNREFUSED ::1:1', code: 'ECONNREFUSED' });
});

test('so is what the system refuses, and what the program names', () => {
  const taken = Object.assign(new Error('listen EADDRINUSE'), { code: 'EADDRINUSE', syscall: 'listen' });
  expect(brief(taken)).toEqual({ type: 'Error', message: 'listen EADDRINUSE', code: 'EADDRINUSE' });
  expect(brief(new RangeError('too far'))).toEqual({ type: 'RangeError', message: 'too far' });
});

test('a mistake in the program keeps its stack', () => {
  const error = new TypeError('x is not a function');
  expect(brief(error)).toEqual({ stack: error.stack });
});
