import type { Clock } from '../../core/clock.ts';
import { KiwiError } from '../../core/errors.ts';
import type { Issuer } from '../../pki/issue.ts';
import { parseCertificate, type Certificate } from '../../pki/certificate.ts';
import { readRoot } from '../../provider/read-root.ts';
import { readRootKey } from '../../provider/root-key-file.ts';
import { openToken, type Token } from '../../token/token.ts';
import { tokenSigner, type TokenFlags } from './token-signer.ts';

/** Where the root is, as every command that signs with it is told. */
export interface RootFlags extends TokenFlags {
  readonly rootCertificate: string;
  /** A file; absent: the key is in a YubiKey. */
  readonly rootKey?: string;
  readonly serial?: number;
  readonly json?: boolean;
}

/** The slot of a root's key: "digital signature", PIN for every use. */
export const ROOT_SLOT = '9c';

/**
 * Works with the provider's root. A key in a YubiKey asks for its PIN and a touch at each signature.
 * @throws KiwiError `usage`, `key-absent`, `key-other`, `key-several`, and those of `Token.sign`
 */
export async function withRoot<T>(
  flags: RootFlags,
  clock: Clock,
  signal: AbortSignal,
  work: (root: Issuer) => Promise<T>,
): Promise<T> {
  const certificate = await readRoot('--root-certificate', flags.rootCertificate, new Date(clock.now()));
  if (flags.rootKey !== undefined) return work({ certificate, key: await readRootKey(flags.rootKey, certificate) });
  const token = await openToken({ signal });
  try {
    const key = await token.slotKey(await holderOf(token, certificate, flags.serial, signal), ROOT_SLOT, signal);
    return await work({ certificate, signer: tokenSigner(token, key, flags, signal) });
  } finally {
    await token.close();
  }
}

/** The YubiKey whose slot has the root's key: of all that are plugged in, the one that is meant. */
async function holderOf(
  token: Token,
  root: Certificate,
  wanted: number | undefined,
  signal: AbortSignal,
): Promise<number> {
  const plugged = await token.list(signal);
  if (plugged.length === 0) throw new KiwiError('key-absent');
  const holders = [];
  for (const { serial } of plugged) {
    if (wanted !== undefined && serial !== wanted) continue;
    const key = await token.slotKey(serial, ROOT_SLOT, signal).catch(() => undefined);
    if (key !== undefined && parseCertificate(key.attestation).spki.equals(root.spki)) holders.push(serial);
  }
  const [holder] = holders;
  if (holder !== undefined) return holder;
  const there = plugged.map(({ serial }) => serial).join(', ');
  throw new KiwiError('key-other', { detail: `none has the key of --root-certificate in slot ${ROOT_SLOT}: ${there}` });
}
