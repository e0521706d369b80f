import { sha256 } from '../../src/core/bytes.ts';

/** The name of a root's file without its extension: a prefix that marks it as ours, and 64 bits of the root's SHA-256. */
export function rootFileName(der: Uint8Array): string {
  return `kiwistack-root-${sha256(der).toString('hex').slice(0, 16)}`;
}
