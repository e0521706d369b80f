import { describe, expect, it } from 'vitest';

import { transportError } from '../../../../src/laptop/gateway-client/transport-error.ts';

const NOW = Date.UTC(2027, 11, 31);
const coded = (code: string, cause?: unknown): Error => Object.assign(new Error('x', { cause }), { code });

describe('what a failed connection means', () => {
  it.each([
    'ECONNREFUSED',
    'ECONNRESET',
    'ENOTFOUND',
    'EAI_AGAIN',
    'ENETUNREACH',
    'ETIMEDOUT',
    'UND_ERR_CONNECT_TIMEOUT',
    'UND_ERR_HEADERS_TIMEOUT',
    'UND_ERR_SOCKET',
  ])('%s: the gateway is not reachable, and it may be worth another try', (code) => {
    expect(transportError(coded(code), NOW)).toMatchObject({
      code: 'gateway-unreachable',
      detail: code,
      retryable: true,
    });
  });

  it.each([
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    'SELF_SIGNED_CERT_IN_CHAIN',
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    'CERT_REVOKED',
    'INVALID_PURPOSE',
    'ERR_TLS_CERT_ALTNAME_INVALID',
    'ERR_SSL_WRONG_VERSION_NUMBER',
    'EPROTO',
  ])('%s: no secure connection, and the same network would fail again', (code) => {
    expect(transportError(coded(code), NOW)).toMatchObject({ code: 'gateway-tls', detail: code, retryable: false });
  });

  it.each(['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID'])('%s: the clock is suspected first', (code) => {
    const error = transportError(coded(code), NOW);
    expect(error).toMatchObject({ code: 'gateway-tls-dates', retryable: false, exitCode: 6 });
    expect(error.detail).toBe(`${code}; this laptop's clock shows 2027-12-31T00:00:00.000Z`);
    expect(error.hint).toMatch(/^Check the date and time/u);
  });

  it('is found behind errors that wrap it', () => {
    const wrapped = new Error('fetch failed', { cause: new Error('again', { cause: coded('CERT_REVOKED') }) });
    expect(transportError(wrapped, NOW)).toMatchObject({ code: 'gateway-tls', cause: wrapped });
  });

  it('without a code is recognised by its message', () => {
    expect(transportError(new Error('odd'), NOW)).toMatchObject({ code: 'gateway-unreachable', detail: 'odd' });
    expect(transportError('odd', NOW)).toMatchObject({ code: 'gateway-unreachable', detail: 'unknown' });
  });
});
