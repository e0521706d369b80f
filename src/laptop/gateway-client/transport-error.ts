import { KiwiError } from '../../core/errors.ts';
import { systemErrorCode } from '../../core/system-error-code.ts';

/** OpenSSL's and Node's codes for a certificate whose dates do not fit our clock. */
const DATES = new Set(['CERT_NOT_YET_VALID', 'CERT_HAS_EXPIRED']);

const CERTIFICATE = new Set([
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_GET_ISSUER_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'CERT_SIGNATURE_FAILURE',
  'CERT_CHAIN_TOO_LONG',
  'CERT_REVOKED',
  'CERT_REJECTED',
  'CERT_UNTRUSTED',
  'INVALID_CA',
  'INVALID_PURPOSE',
  'PATH_LENGTH_EXCEEDED',
  'HOSTNAME_MISMATCH',
]);

/**
 * What a failed connection means for the person, by the system's error code.
 * A TLS failure is not retried: the same network would fail again.
 * @param now this laptop's clock, milliseconds: it is suspected first when the dates of a certificate do not fit
 */
export function transportError(thrown: unknown, now: number): KiwiError {
  const code = firstCodeOf(thrown);
  const detail = code ?? (thrown instanceof Error ? thrown.message : 'unknown');
  if (code !== undefined && DATES.has(code)) {
    const shown = `${code}; this laptop's clock shows ${new Date(now).toISOString()}`;
    return new KiwiError('gateway-tls-dates', { detail: shown, cause: thrown });
  }
  if (code !== undefined && (CERTIFICATE.has(code) || code.startsWith('ERR_SSL') || code === 'EPROTO')) {
    return new KiwiError('gateway-tls', { detail, cause: thrown, retryable: false });
  }
  return new KiwiError('gateway-unreachable', { detail, cause: thrown });
}

/** The system's code of an error. undici often wraps the informative error as `cause`. */
export function firstCodeOf(thrown: unknown): string | undefined {
  for (let error = thrown; error instanceof Error; error = error.cause) {
    const code = systemErrorCode(error);
    if (code !== undefined) return code;
  }
  return undefined;
}

/**
 * What was missing on the way to the gateway: a `name` was not found, since no name server answers or none knows it; this laptop has
 * no `network`; else the `gateway` itself did not answer.
 */
export function missingOnTheWay({ cause }: KiwiError): 'name' | 'network' | 'gateway' {
  switch (firstCodeOf(cause)) {
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'name';
    case 'ENETUNREACH':
    case 'ENETDOWN':
    case 'EADDRNOTAVAIL':
      return 'network';
    default:
      return 'gateway';
  }
}
