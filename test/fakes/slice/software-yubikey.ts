import type { KeyObject } from 'node:crypto';

import { parseCertificate, type Certificate } from '../../../src/pki/certificate.ts';
import { makeCsr } from '../../../src/pki/csr.ts';
import { DAY, issueCertificate, YEAR } from '../../../src/pki/issue.ts';
import { generateP256 } from '../../../src/pki/keys.ts';
import { keySigner, type Signer } from '../../../src/pki/signer.ts';
import type { PivSlot } from '../../../src/protocol/statement.ts';

/** Stands in for Yubico: a root under which software keys are "attested". */
export interface TestMaker {
  readonly certificate: Certificate;
  readonly key: KeyObject;
}

/** A YubiKey as far as the slice can see one: a key pair, its attestation, and the certificate that the slice gave it. */
export interface SoftwareYubikey {
  readonly serial: number;
  readonly slot: PivSlot;
  readonly key: KeyObject;
  readonly signer: Signer;
  readonly attestation: Certificate;
  readonly attestationIssuer: Certificate;
  csr(): Promise<Buffer>;
}

export interface AttestedClaims {
  readonly serial: number;
  readonly slot?: PivSlot;
  /** 1 never, 2 once, 3 always */
  readonly pin?: number;
  /** 1 never, 2 always, 3 cached */
  readonly touch?: number;
  /** The key that is attested; by default the key's own. */
  readonly attestedKey?: KeyObject;
}

const validity = () => ({ notBefore: new Date(Date.now() - DAY), notAfter: new Date(Date.now() + 10 * YEAR) });

export async function makeTestMaker(): Promise<TestMaker> {
  const key = generateP256();
  const certificate = await issueCertificate({
    subject: { cn: 'Test PIV root' },
    key,
    ...validity(),
    ca: { pathLength: 1 },
  });
  return { certificate, key };
}

export async function makeSoftwareYubikey(maker: TestMaker, claims: AttestedClaims): Promise<SoftwareYubikey> {
  const slot = claims.slot ?? '9c';
  const key = generateP256();
  const f9Key = generateP256();
  const attestationIssuer = await issueCertificate({
    subject: { cn: 'Yubico PIV Attestation' },
    key: f9Key,
    issuer: maker,
    ...validity(),
    ca: { pathLength: 0 },
  });
  const attestation = await issueCertificate({
    subject: { cn: `YubiKey PIV Attestation ${slot}` },
    key: claims.attestedKey ?? key,
    issuer: { certificate: attestationIssuer, key: f9Key },
    ...validity(),
    extensions: [
      { oid: '1.3.6.1.4.1.41482.3.3', value: Buffer.from([5, 7, 1]) },
      { oid: '1.3.6.1.4.1.41482.3.7', value: derInteger(claims.serial) },
      { oid: '1.3.6.1.4.1.41482.3.8', value: Buffer.from([claims.pin ?? 3, claims.touch ?? 2]) },
      { oid: '1.3.6.1.4.1.41482.3.9', value: Buffer.from([1]) },
    ],
  });
  return {
    serial: claims.serial,
    slot,
    key,
    signer: keySigner(key),
    attestation: parseCertificate(attestation.der),
    attestationIssuer,
    csr: () => makeCsr(key, `KiwiStack enrollment ${claims.serial}`),
  };
}

function derInteger(value: number): Buffer {
  const bytes = Buffer.alloc(5);
  bytes.writeUInt32BE(value, 1);
  let from = 0;
  while (from < 4 && bytes[from] === 0 && ((bytes[from + 1] ?? 0) & 0x80) === 0) from++;
  const content = bytes.subarray(from);
  return Buffer.concat([Buffer.from([2, content.length]), content]);
}
