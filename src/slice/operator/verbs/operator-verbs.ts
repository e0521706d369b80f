import { base64url } from '../../../core/bytes.ts';
import { KiwiError } from '../../../core/errors.ts';
import { AttestationError, verifyAttestation } from '../../../pki/attestation.ts';
import { CertificateError, parseCertificate } from '../../../pki/certificate.ts';
import { readCsr } from '../../../pki/csr.ts';
import { jwkThumbprint, publicJwk } from '../../../pki/keys.ts';
import { EKU, operatorSubject, operatorUri } from '../../../pki/roles.ts';
import type { Arguments } from '../../../protocol/operator-verbs.ts';
import { firmwareFlaw } from '../../decisions/firmware-flaw.ts';
import { findOperator } from '../find-target.ts';
import type { Handlers, OperatorParts, VerbsOf } from './handlers.ts';

/** Who operates the slice with a YubiKey of their own. */
export function operatorVerbs(parts: OperatorParts): Handlers<VerbsOf<'operator'>> {
  const { config, identity, registry, ca, clock, revokeIfPossible } = parts;
  return {
    'operator.list': () => registry.listOperators(),
    async 'operator.add'(given, { audited, actor }) {
      const { name, role, serial, slot } = given;
      if (!identity.intermediate.extendedKeyUsages.includes(EKU.operatorKey)) {
        throw new KiwiError('operators-not-permitted');
      }
      const key = await attestedKey(parts, given);
      const taken = (await registry.listOperators()).find(
        (other) => other.removedAt === null && (other.name === name || other.yubikeySerial === serial),
      );
      if (taken !== undefined) throw exists(`${taken.name}, YubiKey ${taken.yubikeySerial}`);
      const staff = await registry.findYubikey(serial);
      if (staff?.burnedAt === null) {
        throw new KiwiError('yubikey-registered', { detail: `serial ${serial} enrolls laptops, as ${staff.role}` });
      }
      const pem = await ca.sign({
        csr: key.csr,
        subject: operatorSubject(name),
        claims: {
          operator: {
            ...{ subject: operatorSubject(name), role },
            ...{ customer: config.customer.name, uri: operatorUri(config.customer.slug) },
          },
        },
      });
      const certificate = parseCertificate(pem);
      const operator = {
        ...{ name, role, kid: key.kid, yubikeySerial: serial, slot, certificate: base64url(certificate.der) },
        ...{ addedAt: clock.now(), addedBy: actor.name },
      };
      const why = `${name}, ${role}, slot ${slot}, certificate ${certificate.serialHex}`;
      const entry = audited('operator.add', { yubikeySerial: serial, why });
      const result = await registry.addOperator(
        operator,
        { serial: certificate.serialHex, notAfter: certificate.notAfter.getTime() },
        entry,
      );
      if (result !== 'added') throw exists(name);
      return { ...operator, removedAt: null, removedWhy: null };
    },
    async 'operator.remove'({ name, why }, { audited }) {
      const { kid, yubikeySerial } = await findOperator(registry, name);
      const entry = audited('operator.remove', { yubikeySerial, why: `${name}: ${why}` });
      // Somebody else may have removed them meanwhile: then there is none any more.
      if (!(await registry.removeOperator(kid, why, clock.now(), entry))) await findOperator(registry, name);
      return { revoked: await revokeIfPossible() };
    },
  };
}

const exists = (name: string): KiwiError => new KiwiError('operator-exists', { detail: name });

/** @throws KiwiError `attestation-refused`, `policy-refused`, `csr-refused` */
async function attestedKey(
  { config, identity }: OperatorParts,
  { attestation, attestationIssuer, csr: text, serial, slot }: Arguments<'operator.add'>,
): Promise<{ readonly kid: string; readonly csr: Buffer }> {
  const refuse = (detail: string, cause?: unknown): never => {
    throw new KiwiError('attestation-refused', { detail, cause });
  };
  const csr = Buffer.from(text, 'base64url');
  const { publicKey } = await readCsr(csr);
  try {
    const attested = verifyAttestation({
      attestation: parseCertificate(Buffer.from(attestation, 'base64url')),
      issuer: parseCertificate(Buffer.from(attestationIssuer, 'base64url')),
      roots: identity.yubicoRoots,
    });
    const kid = jwkThumbprint(publicJwk(attested.publicKey));
    if (jwkThumbprint(publicJwk(publicKey)) !== kid) refuse('for another key than that of the request');
    if (attested.serial !== serial || attested.slot !== slot) refuse('it names another serial number or slot');
    // Nothing on the workstation may sign in, or approve, without the person.
    if (attested.pinPolicy !== 'always' || attested.touchPolicy !== 'always') {
      throw new KiwiError('policy-refused', { detail: `PIN ${attested.pinPolicy}, touch ${attested.touchPolicy}` });
    }
    const old = firmwareFlaw(attested.firmware, config.firmware.minimum);
    if (old !== undefined && config.firmware.older === 'refuse') throw new KiwiError('policy-refused', { detail: old });
    return { kid, csr };
  } catch (error) {
    if (error instanceof AttestationError || error instanceof CertificateError) return refuse(error.message, error);
    if (error instanceof TypeError) return refuse('not a P-256 key', error);
    throw error;
  }
}
