import { expect, test } from 'vitest';

import { perSlice, type SliceContext } from '../../../src/slice/slice-context.ts';

const slice = (slug: string): SliceContext => ({ config: { customer: { slug } } }) as SliceContext;

test('each slice has its own, made once', () => {
  const made: string[] = [];
  const ofSlice = perSlice(({ config }) => void made.push(config.customer.slug));
  const [acme, other] = [slice('acme'), slice('other')];
  for (const one of [acme, other, acme, other]) ofSlice(one);
  expect(made).toEqual(['acme', 'other']);

  const map = perSlice(() => new Map<string, number>());
  map(acme).set('a', 1);
  expect([map(acme).get('a'), map(other).get('a')]).toEqual([1, undefined]);
});
