import { sha256 } from '../../src/core/bytes.ts';

/** The name of a root's file without its ending: ours by its beginning, the root's by 64 bits of its SHA-256. */
export function rootFileName(der: Uint8Array): string {
  return `kiwistack-root-${sha256(der).toString('hex').slice(0, 16)}`;
}
