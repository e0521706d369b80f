/**
 * The code that Node or the system gave an error: `ENOENT`, `ERR_TLS_CERT_ALTNAME_INVALID`. Undefined for anything without
 * one: messages are for people, and are never compared.
 */
export function systemErrorCode(thrown: unknown): string | undefined {
  return thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : undefined;
}
