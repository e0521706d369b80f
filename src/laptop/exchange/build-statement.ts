import { base64url } from '../../core/bytes.ts';
import type { Certificate } from '../../pki/certificate.ts';
import { claimProof } from '../../pki/claim-token.ts';
import { makeCsrWith } from '../../pki/csr.ts';
import { encryptTo } from '../../pki/jwe.ts';
import { signCompact, signGeneral } from '../../pki/jws.ts';
import { publicJwk } from '../../pki/keys.ts';
import type { Signer } from '../../pki/signer.ts';
import { claim as claimSchema, type Claim } from '../../protocol/claim.ts';
import { PROTOCOL, TYP } from '../../protocol/common.ts';
import type { Fingerprint } from '../../protocol/fingerprint.ts';
import { statement as schema, type Statement } from '../../protocol/statement.ts';
import { tpmExtension } from '../../protocol/tpm-key.ts';
import type { DeviceKey } from '../system/device-key.ts';
import type { OpenedChallenge } from './open-challenge.ts';

/** What the laptop says of itself, whoever vouches for it. */
export interface LaptopInput {
  readonly opened: OpenedChallenge;
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

export interface StatementInput extends LaptopInput {
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
    ...(await saidOfLaptop(input)),
    yubikey: {
      serial: key.serial,
      slot: key.slot,
      attestation: base64url(key.attestation),
      attestationIssuer: base64url(key.attestationIssuer),
    },
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

/**
 * The same of a laptop with a token: the device key alone signs, and the token's key proves that the sender has it.
 *
 * @param input.tokenKey 32 bytes
 * @returns the compact JWE, to be stored before it is sent
 */
export async function buildClaim(
  input: LaptopInput & { readonly tokenKey: Uint8Array; readonly image?: string | undefined },
): Promise<string> {
  const { opened, deviceKey, tokenKey, image } = input;
  const message = claimSchema.parse({
    ...(await saidOfLaptop(input)),
    tokenProof: claimProof(tokenKey, base64url(opened.hash)),
    ...(image === undefined ? {} : { image }),
  } satisfies Claim);
  const jwk = publicJwk(deviceKey.publicKey);
  const signed = await signCompact({ typ: TYP.claim, payload: JSON.stringify(message), signer: deviceKey, jwk });
  return encryptTo(opened.challenge.encryptionKey, signed, TYP.claimEncrypted);
}

async function saidOfLaptop(input: LaptopInput): Promise<Omit<Statement, 'yubikey'>> {
  const { opened, deviceKey } = input;
  return {
    protocol: PROTOCOL,
    slug: opened.challenge.customer.slug,
    sessionId: opened.challenge.sessionId,
    challengeHash: base64url(opened.hash),
    csr: base64url(await makeCsrWith(deviceKey.publicKey, deviceKey, input.host.name)),
    wireguardPublicKey: input.wireguardPublicKey,
    wireguardProof: input.wireguardProof,
    fingerprint: input.fingerprint,
    host: input.host,
    timestamp: new Date(input.now).toISOString(),
    ...(input.tpmProof === undefined ? {} : { extensions: tpmExtension({ proof: input.tpmProof }) }),
  };
}
