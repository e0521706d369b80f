/**
 * The code that Node or the system gave an error: `ENOENT`, `ERR_TLS_CERT_ALTNAME_INVALID`. Undefined for whatever has none: a
 * message is for people, and is never compared.
 */
export function systemErrorCode(thrown: unknown): string | undefined {
  return thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : undefined;
}
