import { generateKeyPairSync, type KeyObject } from 'node:crypto';

import { compactDecrypt } from 'jose';
import { describe, expect, it } from 'vitest';

import { KiwiError } from '../../../src/core/errors.ts';
import {
  encryptToRecipient,
  openEscrow,
  readEscrowHeader,
  recipientOf,
  recipientThumbprint,
} from '../../../src/pki/escrow-jwe.ts';
import { JoseError } from '../../../src/pki/jws.ts';
import { generateP256 } from '../../../src/pki/keys.ts';
import { escrowRecipient } from '../../../src/protocol/disk-escrow.ts';
import { escrowOpener } from '../../fakes/escrow-opener.ts';

const TYP = 'kiwi-escrow+jwe';
const rsa = (modulusLength: number): KeyObject => generateKeyPairSync('rsa', { modulusLength }).privateKey;
const KEYS = [
  ['P-256', generateP256(), 'ECDH-ES'],
  ['RSA-2048', rsa(2048), 'RSA-OAEP-256'],
  ['RSA-3072', rsa(3072), 'RSA-OAEP-256'],
] as const;
const errorOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

describe.each(KEYS)('an escrow to %s', (_, key, alg) => {
  const recipient = recipientOf(key);
  const jwe = encryptToRecipient(recipient, 'the recovery key', TYP);

  it('is read by its recipient, also in another library, and says for whom it is', async () => {
    expect((await openEscrow(escrowOpener(key), jwe, TYP)).toString()).toBe('the recovery key');
    expect(Buffer.from((await compactDecrypt(jwe, key)).plaintext).toString()).toBe('the recovery key');
    expect(readEscrowHeader(jwe, TYP)).toMatchObject({ alg, kid: recipientThumbprint(recipient) });
  });

  it('is closed to any other key of its kind, with another typ, and when a byte is another', async () => {
    const other = key.asymmetricKeyType === 'ec' ? generateP256() : rsa(key.asymmetricKeyDetails?.modulusLength ?? 0);
    const failure = await errorOf(openEscrow(escrowOpener(other), jwe, TYP));
    expect(failure).toBeInstanceOf(Error);
    expect(await errorOf(openEscrow(escrowOpener(key), jwe, 'kiwi-grant+jwe'))).toBeInstanceOf(JoseError);
    const bent = `${jwe.slice(0, -1)}${jwe.endsWith('A') ? 'Q' : 'A'}`;
    expect(await errorOf(openEscrow(escrowOpener(key), bent, TYP))).toBeInstanceOf(JoseError);
  });

  it('says what its opener says when that cannot open it', async () => {
    const untouched = (): Promise<never> => Promise.reject(new KiwiError('touch-timeout'));
    const failure = errorOf(openEscrow({ agree: untouched, unwrap: untouched }, jwe, TYP));
    expect(await failure).toMatchObject({ code: 'touch-timeout' });
  });
});

describe('a recipient', () => {
  it('is no other kind of key, and none that is too short', () => {
    for (const key of [
      rsa(1024),
      generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey,
      generateKeyPairSync('ed25519').privateKey,
    ]) {
      expect(() => recipientOf(key)).toThrow(JoseError);
    }
    const { n, e } = rsa(2048).export({ format: 'jwk' });
    expect(escrowRecipient.safeParse({ kty: 'RSA', n, e }).success).toBe(true);
    expect(escrowRecipient.safeParse({ kty: 'RSA', n, e: 'Aw' }).success).toBe(false);
  });
});
