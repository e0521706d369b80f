import { describe, expect, it } from 'vitest';

import type { KiwiError } from '../../../../src/core/errors.ts';
import { parseProxy, proxyFromEnvironment } from '../../../../src/laptop/gateway-client/proxy.ts';

const gateway = new URL('https://enroll.acme.example');
const nameIn = (environment: Record<string, string>, of = gateway): string | undefined =>
  proxyFromEnvironment(of, environment)?.name;

describe('the proxy of the environment', () => {
  it.each([
    ['127.0.0.1:3128', 'http://127.0.0.1:3128'],
    ['proxy.example:3128', 'http://proxy.example:3128'],
    ['localhost', 'http://localhost'],
    [' http://proxy.example:3128/ ', 'http://proxy.example:3128'],
    ['HTTPS://proxy.example', 'https://proxy.example'],
    ['[2001:db8::1]:3128', 'http://[2001:db8::1]:3128'],
    ['user:pa%40ss@proxy.example:3128', 'http://proxy.example:3128'],
  ])('%s is %s', (value, read) => {
    expect(nameIn({ HTTPS_PROXY: value })).toBe(`${read} (from HTTPS_PROXY)`);
  });

  it.each([
    'http://',
    'proxy example:3128',
    'proxy.example:port',
    'socks5://127.0.0.1:1080',
    'http://proxy.example/proxy.pac',
    'file:///etc/proxy',
    'user:50%@proxy.example:3128',
  ])('%s is none: the variable is named, and not what is in it', (value) => {
    let error: KiwiError | undefined;
    try {
      proxyFromEnvironment(gateway, { https_proxy: value });
    } catch (thrown) {
      error = thrown as KiwiError;
    }
    expect(error).toMatchObject({ code: 'proxy-invalid' });
    expect(error?.detail).toMatch(/^https_proxy: /u);
    expect(error?.detail).not.toContain('example');
  });

  it('is taken from the variables that count for https, lower case first, and not from empty ones', () => {
    expect(nameIn({ http_proxy: 'a:1', HTTP_PROXY: 'b:1' })).toBeUndefined();
    expect(nameIn({ https_proxy: '', HTTPS_PROXY: ' ', ALL_PROXY: 'c:1' })).toBe('http://c:1 (from ALL_PROXY)');
    expect(nameIn({ https_proxy: 'a:1', HTTPS_PROXY: 'b:1', all_proxy: 'c:1' })).toBe('http://a:1 (from https_proxy)');
    expect(nameIn({})).toBeUndefined();
  });

  it.each([
    ['*', true],
    ['localhost,127.0.0.1', false],
    ['acme.example', true],
    ['.acme.example', true],
    ['*.acme.example other', true],
    ['ENROLL.acme.example', true],
    ['enroll.acme.example:443', true],
    ['enroll.acme.example:8443', false],
    ['roll.acme.example', false],
    [',', false],
  ])('does not count for hosts that NO_PROXY excepts: %s', (exceptions, excepted) => {
    const environment = { HTTPS_PROXY: 'proxy.example:1', NO_PROXY: exceptions };
    expect(nameIn(environment) === undefined).toBe(excepted);
  });

  it('that is invalid does not matter where it is not used', () => {
    expect(nameIn({ HTTPS_PROXY: 'socks5://a', no_proxy: 'enroll.acme.example' })).toBeUndefined();
  });

  it('keeps its password out of its name', () => {
    expect(parseProxy('http://anna:geheim@proxy.example:3128', 'x').name).not.toContain('geheim');
  });
});
