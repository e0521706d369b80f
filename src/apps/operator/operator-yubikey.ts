import { KiwiError } from '../../core/errors.ts';
import type { OperatorKey } from '../../operator-client/sign-statement.ts';
import { parseCertificate, type Certificate } from '../../pki/certificate.ts';
import { jwkThumbprint, publicJwk } from '../../pki/keys.ts';
import { operatorNameIn } from '../../pki/roles.ts';
import type { Signer } from '../../pki/signer.ts';
import type { OperatorSlice } from '../../protocol/operator-verbs.ts';
import { askPin } from '../../terminal/ask-pin.ts';
import { readPinFromDescriptor } from '../../terminal/read-pin-from-descriptor.ts';
import { findOperatorKey } from '../../token/operator-key.ts';
import { triesLeft } from '../../token/pin.ts';
import { openToken, type SlotKey, type Token, type UseOptions } from '../../token/token.ts';

export interface KeyFlags {
  readonly pinFd?: number;
  readonly json?: boolean;
}

/** The operator's own YubiKey. @param name of whoever is signed in @throws KiwiError `key-absent`, `key-several`, `operator-unknown` */
export async function withOperatorKey<T>(
  flags: KeyFlags,
  signal: AbortSignal,
  work: (key: OperatorKey & { readonly certificate: Certificate }) => Promise<T>,
  { name: wanted }: { readonly name?: string } = {},
): Promise<T> {
  const token = await openToken({ signal });
  try {
    const key = await findOperatorKey(token, wanted, signal);
    const name = operatorNameIn(key.certificate.subject.cn);
    if (name === undefined) throw new KiwiError('operator-unknown', { detail: 'its certificate names nobody' });
    const kid = jwkThumbprint(publicJwk(parseCertificate(key.attestation).publicKey));
    return await work({ name, kid, certificate: key.certificate, signer: signerOf(token, key, flags, signal) });
  } finally {
    await token.close();
  }
}

/** Signs with a key in a YubiKey: asks for its PIN, at the terminal or from a descriptor, and says when to touch it. */
export function signerOf(token: Token, key: SlotKey, flags: KeyFlags, signal: AbortSignal): Signer {
  return { alg: key.algorithm, sign: (data) => token.sign(key, data, useOptions(key, flags, signal)) };
}

/** Asks for the PIN of a key, at the terminal or from a descriptor, and says when to touch it. */
export function useOptions(key: SlotKey, { pinFd, json }: KeyFlags, signal: AbortSignal): UseOptions {
  return {
    askPin: async (state, refused) => {
      const prompt = `  PIN of YubiKey ${key.serial} (${triesLeft(state)}): `;
      if (pinFd === undefined) return askPin({ prompt, refused, lastTry: state === 'final' }, signal);
      if (refused !== undefined) throw refused;
      return readPinFromDescriptor(pinFd, signal);
    },
    onTouchExpected: () => {
      if (json !== true) process.stderr.write('TOUCH the YubiKey now: its light is blinking.\n');
    },
    signal,
  };
}

/** Whose YubiKey signs: over the network that of whoever is signed in; in the slice's folder there is nobody but the YubiKey. */
export async function signedInAs(slice: OperatorSlice): Promise<{ readonly name?: string; readonly slug: string }> {
  const { customer, operator } = await slice.ask('slice.about');
  return { slug: customer.slug, ...(operator.name === 'operator' ? {} : { name: operator.name }) };
}
