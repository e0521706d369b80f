import { base64url } from '../../core/bytes.ts';
import type { Certificate } from '../../pki/certificate.ts';
import { makeCsrWith } from '../../pki/csr.ts';
import { encryptTo } from '../../pki/jwe.ts';
import { signGeneral } from '../../pki/jws.ts';
import { publicJwk } from '../../pki/keys.ts';
import type { Signer } from '../../pki/signer.ts';
import { PROTOCOL, TYP } from '../../protocol/common.ts';
import type { Fingerprint } from '../../protocol/fingerprint.ts';
import { statement as schema, type Statement } from '../../protocol/statement.ts';
import { tpmExtension } from '../../protocol/tpm-key.ts';
import type { DeviceKey } from '../system/device-key.ts';
import type { OpenedChallenge } from './open-challenge.ts';

export interface StatementInput {
  readonly opened: OpenedChallenge;
  readonly key: {
    readonly certificate: Certificate;
    readonly serial: number;
    readonly slot: Statement['yubikey']['slot'];
    /** DER */
    readonly attestation: Buffer;
    /** The certificate of slot f9, DER */
    readonly attestationIssuer: Buffer;
    /** Asks for PIN and touch, signs once. */
    readonly signer: Signer;
  };
  readonly deviceKey: DeviceKey;
  readonly wireguardPublicKey: string;
  readonly wireguardProof: string;
  /** That the device key is in the TPM, where that was proven to the slice. */
  readonly tpmProof?: string | undefined;
  readonly fingerprint: Fingerprint;
  readonly host: Statement['host'];
  /** Wall clock, milliseconds. */
  readonly now: number;
}

/**
 * Builds what the touch signs: two signatures over the same bytes, the YubiKey's first, in a JWE encrypted to the session's
 * key.
 *
 * @returns the compact JWE. Store it before sending it: after a lost reply exactly the same bytes must be sent again.
 */
export async function buildStatement(input: StatementInput): Promise<string> {
  const { opened, key, deviceKey } = input;
  const message = schema.parse({
    protocol: PROTOCOL,
    slug: opened.challenge.customer.slug,
    sessionId: opened.challenge.sessionId,
    challengeHash: base64url(opened.hash),
    csr: base64url(await makeCsrWith(deviceKey.publicKey, deviceKey, input.host.name)),
    wireguardPublicKey: input.wireguardPublicKey,
    wireguardProof: input.wireguardProof,
    fingerprint: input.fingerprint,
    host: input.host,
    yubikey: {
      serial: key.serial,
      slot: key.slot,
      attestation: base64url(key.attestation),
      attestationIssuer: base64url(key.attestationIssuer),
    },
    timestamp: new Date(input.now).toISOString(),
    ...(input.tpmProof === undefined ? {} : { extensions: tpmExtension({ proof: input.tpmProof }) }),
  } satisfies Statement);
  const signed = await signGeneral({
    payload: JSON.stringify(message),
    signatures: [
      { typ: TYP.statement, signer: key.signer, x5c: [key.certificate.der, opened.intermediate.der] },
      { typ: TYP.statement, signer: deviceKey, jwk: publicJwk(deviceKey.publicKey) },
    ],
  });
  return encryptTo(opened.challenge.encryptionKey, signed, TYP.statementEncrypted);
}
