import { base64url } from '../../core/bytes.ts';
import { KiwiError, toKiwiError } from '../../core/errors.ts';
import { tpmProof } from '../../pki/tpm-proof.ts';
import { readTpmPublic } from '../../pki/tpm-public.ts';
import { tpmWishIn, type TpmWish } from '../../protocol/tpm-key.ts';
import type { EnrollmentRun } from './enrollment-run.ts';
import { sayHello } from './say-hello.ts';

/**
 * The slice wants the device key in the laptop's TPM: makes one there, says hello with it, and has the TPM open the credential in the
 * answer, all of it before the person is asked for anything. Only then does the new key take the place of the one in a file. Nothing of
 * it stays in the TPM, so an interrupted run leaves nothing there; the next one goes on with the key that it finds.
 *
 * @returns why the key stays in its file, where the slice leaves that open
 * @throws KiwiError `tpm-…`, where it does not
 */
export async function moveKeyIntoTpm(run: EnrollmentRun, { want }: TpmWish): Promise<KiwiError | undefined> {
  try {
    await move(run);
    return undefined;
  } catch (error) {
    const why = toKiwiError(error);
    if (want === 'require' || !isOfTpm(why)) throw error;
    run.context.log?.write('warning', 'device-key-in-file', { code: why.code, detail: why.detail });
    return why;
  }
}

async function move(run: EnrollmentRun): Promise<void> {
  const { platform, record } = run;
  const { parts: kept } = await run.deviceKey();
  const endorsement = await platform.tpm.endorsementCertificate();
  const parts = kept ?? (await platform.tpm.createKey());
  const claim = { endorsement: base64url(endorsement), publicArea: base64url(parts.publicArea) };
  const meeting = await sayHello(run, readTpmPublic(parts.publicArea).publicKey, claim);
  const secret = await platform.tpm.activate(parts, credentialIn(tpmWishIn(meeting.opened.challenge)));
  const proof = tpmProof(secret, base64url(meeting.opened.hash));
  secret.fill(0);
  if (kept === undefined) await platform.certificates.keepTpmKey(record.slug, parts);
  const { sessionId } = run.opened().challenge;
  await run.meet(meeting, proof);
  // The operator's list does not show the first session as waiting. Nobody waits for the answer: it ends by itself as well.
  const client = await run.client();
  void client.abandon(sessionId, { ...run.entrance, signal: AbortSignal.timeout(3000) }).catch(() => undefined);
}

function credentialIn(wish: ReturnType<typeof tpmWishIn>): { idObject: Buffer; encryptedSecret: Buffer } {
  if (wish === undefined || wish === 'malformed' || wish.credential === undefined) {
    throw new KiwiError('tpm-proof-refused', { detail: 'the challenge has no credential for the key' });
  }
  const { idObject, encryptedSecret } = wish.credential;
  return { idObject: Buffer.from(idObject, 'base64url'), encryptedSecret: Buffer.from(encryptedSecret, 'base64url') };
}

/** It is this laptop's TPM that does not serve, or what it says of itself: a key in a file may do better. */
const isOfTpm = ({ code }: KiwiError): boolean => code.startsWith('tpm-') || code === 'tool-missing';
