import { base64url } from '../../../core/bytes.ts';
import { KiwiError } from '../../../core/errors.ts';
import { parseCertificate } from '../../../pki/certificate.ts';
import { readCsr } from '../../../pki/csr.ts';
import { enrollmentUri } from '../../../pki/roles.ts';
import { findYubikey, requireNoOperators } from '../find-target.ts';
import { reportYubikey } from '../report-yubikey.ts';
import type { Handlers, OperatorParts, VerbsOf } from './handlers.ts';

export function yubikeyVerbs(parts: OperatorParts): Handlers<VerbsOf<'yubikey'>> {
  const { config, identity, registry, ca, clock, revokeIfPossible } = parts;
  return {
    'yubikey.list': () => registry.listYubikeys(),
    'yubikey.report': ({ serial }) => reportYubikey(registry, serial),
    'yubikey.find': async ({ serial }) => (await registry.findYubikey(serial)) ?? null,
    async 'yubikey.certify'({ csr: text, serial, slot, role }, { audited }) {
      requireNoOperators(await registry.listOperators(), serial);
      const csr = Buffer.from(text, 'base64url');
      // The CSR is verified here, where a person supplies it; only its key matters.
      await readCsr(csr);
      const pem = await ca.sign({
        csr,
        subject: `KiwiStack enrollment ${serial}`,
        claims: {
          yubikey: {
            serial: `${serial}`,
            role,
            customer: config.customer.name,
            uri: enrollmentUri(config.customer.slug),
            gateway: config.gateway.url,
          },
        },
      });
      const certificate = parseCertificate(pem);
      const why = `slot ${slot}, certificate ${certificate.serialHex}`;
      await registry.audit(audited('yubikey.certificate', { yubikeySerial: serial, why }), clock.now());
      return { certificate: base64url(certificate.der), intermediate: base64url(identity.intermediate.der) };
    },
    async 'yubikey.register'({ serial, slot, role, certificate: text, reinstate }, { audited }) {
      const certificate = parseCertificate(Buffer.from(text, 'base64url'));
      const result = await registry.registerYubikey(
        { serial, slot, role, spki: base64url(certificate.spki) },
        { serial: certificate.serialHex, notAfter: certificate.notAfter.getTime() },
        clock.now(),
        audited('yubikey.register', { yubikeySerial: serial, why: `slot ${slot}, role ${role}` }),
        { reinstate },
      );
      if (result === 'burned') throw new KiwiError('yubikey-burned', { detail: `serial ${serial}` });
      if (result === 'exists') throw new KiwiError('yubikey-registered', { detail: `serial ${serial}` });
      return {};
    },
    async 'yubikey.burn'({ serial, why }, { audited }) {
      await findYubikey(registry, serial);
      await registry.burnYubikey(serial, why, clock.now(), audited('yubikey.burn', { yubikeySerial: serial, why }));
      // The key is burned in any case: the gateway asks the registry, and revokes when step-ca answers again.
      return { revoked: await revokeIfPossible() };
    },
  };
}
