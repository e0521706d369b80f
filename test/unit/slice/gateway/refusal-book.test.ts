import { expect, test } from 'vitest';

import { RefusalBook } from '../../../../src/slice/gateway/refusal-book.ts';

test('what gets no record of its own is summed up once', () => {
  const book = new RefusalBook({ ofNetwork: { burst: 1, perSecond: 0 }, inAll: { burst: 9, perSecond: 0 } });
  const refuse = (remote: string, code: string): boolean => book.take(remote, code, 0);
  expect(book.summary()).toBeUndefined();
  const own = ['10.0.0.1', '10.0.0.2', '10.0.0.2', '10.0.1.1'].map((remote) => refuse(remote, 'request-malformed'));
  expect(own).toEqual([true, false, false, true]);
  book.count('10.0.1.1', 'connections');
  expect(book.summary()).toMatchObject({
    action: 'gateway.refusals',
    why: 'not recorded one by one: 2 request-malformed, 1 connections; most from 10.0.0.0/24 (2)',
  });
  expect(book.summary()).toBeUndefined();
});
