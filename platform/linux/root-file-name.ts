import { sha256 } from '../../src/core/bytes.ts';

const PREFIX = 'kiwistack-root-';

/** The name of a root's file without its extension: a prefix that marks it as ours, and 64 bits of the root's SHA-256. */
export function rootFileName(der: Uint8Array): string {
  return `${PREFIX}${sha256(der).toString('hex').slice(0, 16)}`;
}

/** The name without extension in the name of a root's file of ours, of a link to it, or of what a killed write of it left. */
export function rootNameIn(file: string): string | undefined {
  return new RegExp(`^\\.?(${PREFIX}[0-9a-f]{16})\\.(?:crt|pem)(?:\\.[0-9a-f]{12}\\.tmp)?$`).exec(file)?.[1];
}
