import { describe, expect, it } from 'vitest';

import { CUSTOMER_LINKS, customerLinksIn } from '../../../src/protocol/customer-links.ts';

const PORTAL = { title: 'Portal', url: 'https://portal.acme.example/' };
const given = (value: unknown) =>
  customerLinksIn({ extensions: { [CUSTOMER_LINKS]: { critical: false, value: value as string } } });

describe('where the customer’s people go', () => {
  it('is what the slice names, in its order', () => {
    const help = { title: 'Help', url: 'https://help.acme.example/' };
    expect(given([PORTAL, help])).toEqual([PORTAL, help]);
  });

  it.each([
    ['a slice that says nothing', undefined],
    ['another form', { portal: PORTAL.url }],
    ['a page without TLS', [{ ...PORTAL, url: 'http://portal.acme.example/' }]],
    ['a file', [{ ...PORTAL, url: 'file:///etc/passwd' }]],
    ['a script', [{ ...PORTAL, url: 'javascript:alert(1)' }]],
    ['an address with a line break', [{ ...PORTAL, url: 'https://portal.acme.example/\nx' }]],
    ['a title of two lines', [{ ...PORTAL, title: 'a\nb' }]],
    ['more than a page holds', Array.from({ length: 9 }, () => PORTAL)],
    ['a member more', [{ ...PORTAL, icon: 'x' }]],
  ])('is nothing for %s', (_what, value) => {
    expect(given(value)).toEqual([]);
  });

  it('is nothing in an answer without extensions', () => {
    expect(customerLinksIn({})).toEqual([]);
  });
});
