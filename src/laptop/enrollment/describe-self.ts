import { base64url } from '../../core/bytes.ts';
import { wireguardProof } from '../../pki/wireguard-proof.ts';
import { x25519PrivateKey } from '../../pki/x25519.ts';
import type { LaptopInput } from '../exchange/build-statement.ts';
import { collectFingerprint } from '../fingerprint/collect-fingerprint.ts';
import { describeHost } from '../fingerprint/describe-host.ts';
import { deriveWireguardKey } from '../tunnel/wireguard-key.ts';
import type { EnrollmentRun } from './enrollment-run.ts';

/** What this laptop says of itself in a statement or a claim: its keys and its hardware. */
export async function describeSelf(run: EnrollmentRun): Promise<LaptopInput> {
  const { platform, options } = run;
  const opened = run.opened();
  const salt = Buffer.from(opened.challenge.fingerprintSalt, 'base64url');
  const [fingerprint, host, deviceKey] = await Promise.all([
    collectFingerprint(platform.hardware, salt),
    describeHost(platform.hardware),
    run.deviceKey(),
  ]);
  const { slug } = run.record;
  const wireguard = await deriveWireguardKey({ deviceKey, slug, generation: 0 });
  const proof = wireguardProof({
    own: x25519PrivateKey(wireguard.privateKey.bytes),
    other: opened.challenge.proofKey,
    challengeHash: base64url(opened.hash),
    wireguardPublicKey: wireguard.publicKey,
  });
  wireguard.privateKey.clear();
  return {
    opened,
    deviceKey,
    wireguardPublicKey: wireguard.publicKey,
    wireguardProof: proof,
    tpmProof: run.tpmProof,
    fingerprint,
    host: { ...host, name: run.exchange.hostName },
    now: options.clock.now(),
  };
}
