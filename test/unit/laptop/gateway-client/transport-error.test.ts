import { describe, expect, it } from 'vitest';

import { transportError } from '../../../../src/laptop/gateway-client/transport-error.ts';

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
    expect(transportError(coded(code))).toMatchObject({ code: 'gateway-unreachable', detail: code, retryable: true });
  });

  it.each([
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    'SELF_SIGNED_CERT_IN_CHAIN',
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    'CERT_HAS_EXPIRED',
    'CERT_NOT_YET_VALID',
    'CERT_REVOKED',
    'INVALID_PURPOSE',
    'ERR_TLS_CERT_ALTNAME_INVALID',
    'ERR_SSL_WRONG_VERSION_NUMBER',
    'EPROTO',
  ])('%s: no secure connection, and the same network would fail again', (code) => {
    expect(transportError(coded(code))).toMatchObject({ code: 'gateway-tls', detail: code, retryable: false });
  });

  it('is found behind errors that wrap it', () => {
    const wrapped = new Error('fetch failed', { cause: new Error('again', { cause: coded('CERT_HAS_EXPIRED') }) });
    expect(transportError(wrapped)).toMatchObject({ code: 'gateway-tls', cause: wrapped });
  });

  it('without a code is recognised by its message', () => {
    expect(transportError(new Error('odd'))).toMatchObject({ code: 'gateway-unreachable', detail: 'odd' });
    expect(transportError('odd')).toMatchObject({ code: 'gateway-unreachable', detail: 'unknown' });
  });
});
