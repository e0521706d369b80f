import { createPrivateKey } from 'node:crypto';

import { base64url, sha256 } from '../../src/core/bytes.ts';
import { parseCertificate } from '../../src/pki/certificate.ts';
import { makeCredential } from '../../src/pki/tpm-credential.ts';
import { tpmProof } from '../../src/pki/tpm-proof.ts';
import { readTpmPublic } from '../../src/pki/tpm-public.ts';
import { PretendedTpm } from '../fakes/slice/pretended-tpm.ts';
import { textAt } from './keep.ts';
import { testKey } from './test-keys.ts';

const SEED = Buffer.alloc(32, 0x5e);
const SECRET = Buffer.alloc(32, 0xc5);

/**
 * What the extension of hello, challenge and statement would hold if the device key of the example were in a TPM: with the private half of
 * the endorsement key, the seed and the secret, which nobody but the TPM and the gateway have.
 */
export async function makeTpmKey(challenge: string, previous: unknown): Promise<object> {
  const kept = (name: string): string => textAt(previous, name);
  const tpm =
    kept('endorsementKey') === ''
      ? await PretendedTpm.make()
      : new PretendedTpm(
          parseCertificate(Buffer.from(kept('maker'), 'base64url')),
          parseCertificate(Buffer.from(kept('endorsement'), 'base64url')),
          createPrivateKey(kept('endorsementKey')),
        );
  const device = testKey('device');
  const { endorsement, publicArea } = tpm.claim(device);
  const { name } = readTpmPublic(Buffer.from(publicArea, 'base64url'));
  const made = makeCredential(tpm.certificate.publicKey, name, SECRET, SEED);
  // OAEP is random: what was there is kept while it opens.
  const before = Buffer.from(kept('encryptedSecret'), 'base64url');
  const encryptedSecret = opens(tpm, { ...made, encryptedSecret: before }) ? before : made.encryptedSecret;
  const challengeHash = sha256(challenge);
  return {
    endorsementKey: tpm.endorsementKey.export({ type: 'pkcs8', format: 'pem' }),
    maker: base64url(tpm.maker.der),
    endorsement,
    publicArea,
    name: name.toString('hex'),
    seed: SEED.toString('hex'),
    secret: SECRET.toString('hex'),
    idObject: base64url(made.idObject),
    encryptedSecret: base64url(encryptedSecret),
    challengeHash: base64url(challengeHash),
    proofInput: Buffer.concat([Buffer.from('kiwi/1 tpm proof\0'), challengeHash]).toString('hex'),
    proof: tpmProof(SECRET, base64url(challengeHash)),
  };
}

function opens(tpm: PretendedTpm, credential: Parameters<PretendedTpm['open']>[0]): boolean {
  try {
    return tpm.open(credential, testKey('device')).equals(SECRET);
  } catch {
    return false;
  }
}
