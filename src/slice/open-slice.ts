import { createPrivateKey, randomUUID } from 'node:crypto';

import { base64url } from '../core/bytes.ts';
import type { Clock } from '../core/clock.ts';
import { KiwiError } from '../core/errors.ts';
import { parseCertificate, type Certificate } from '../pki/certificate.ts';
import { readCsr } from '../pki/csr.ts';
import { enrollmentUri } from '../pki/roles.ts';
import type { PivSlot } from '../protocol/statement.ts';
import { createCaClient } from './ca/ca-client.ts';
import { readSliceConfig, type SliceConfig } from './config/slice-config.ts';
import { slicePaths } from './config/slice-paths.ts';
import { revokeWanted } from './enrollment/settle-ended.ts';
import { PROVISIONER } from './init/render-ca-config.ts';
import type { AuditEntry, AuditRecord, Device, Session, Yubikey } from './registry/registry.ts';
import { createSqliteRegistry } from './registry/sqlite-registry.ts';
import { loadIdentity, readPart } from './run/load-identity.ts';
import type { SliceIdentity } from './slice-context.ts';

/** A session as an operator sees it: the code is what the laptop shows. */
export type SessionListing = Pick<Session, 'id' | 'code' | 'remote' | 'createdAt' | 'expiresAt'> & { used: boolean };
/** A device as an operator sees it: without its secrets. */
export type DeviceListing = Omit<Device, 'presharedKey' | 'csr' | 'deviceKey'>;

/** A slice in the operator's hands. The same registry that the gateway uses; both may work at once. */
export interface OperatorSlice {
  readonly config: SliceConfig;
  readonly identity: SliceIdentity;
  /** @throws KiwiError `ca-unavailable` when step-ca does not answer: the slice is not up */
  requireCa(): Promise<void>;
  /**
   * Has step-ca issue the certificate for a YubiKey. Needs the slice to be up.
   * @returns leaf and intermediate
   * @throws KiwiError `ca-unavailable`, `csr-refused`
   */
  issueEnrollmentCertificate(input: {
    csr: Buffer;
    serial: number;
    slot: PivSlot;
    role: string;
  }): Promise<readonly [Certificate, Certificate]>;
  /** From now on the key may enroll laptops. @throws KiwiError `yubikey-registered` */
  registerYubikey(input: { serial: number; slot: PivSlot; role: string; certificate: Certificate }): Promise<void>;
  /** Never again. Its certificates are revoked, now or by the gateway once step-ca answers. @throws KiwiError `yubikey-unregistered` */
  burnYubikey(serial: number, why: string): Promise<{ revoked: boolean }>;
  findYubikey(serial: number): Promise<Yubikey | undefined>;
  listYubikeys(): Promise<Yubikey[]>;
  /** Those that are alive. */
  listSessions(): Promise<SessionListing[]>;
  listDevices(): Promise<DeviceListing[]>;
  /** Lets a registered laptop enroll once more, within the given time. @throws KiwiError `device-unknown` */
  consentToReenrollment(deviceId: string, hours: number): Promise<{ consentId: string; expiresAt: number }>;
  /** The newest first. */
  audit(limit: number): Promise<AuditRecord[]>;
  close(): Promise<void>;
}

/** Opens the slice in a folder for an operator. @throws KiwiError `slice-missing` */
export async function openSlice(dir: string, clock: Clock): Promise<OperatorSlice> {
  const paths = slicePaths(dir);
  const config = await readSliceConfig(dir);
  const identity = await loadIdentity(paths);
  const registry = createSqliteRegistry(paths.registry);
  const ca = createCaClient({
    url: `https://${config.inside.address}:${config.ca.port}`,
    root: identity.mspRoot.pem,
    provisioner: PROVISIONER.yubikey,
    keyId: config.ca.yubikeyKid,
    key: createPrivateKey(await readPart(paths.operator.provisionerKey, true)),
    clock,
  });
  const audited = (action: string, more: Partial<AuditEntry> = {}): AuditEntry => ({
    requestId: randomUUID(),
    actor: 'operator',
    action,
    decision: 'allowed',
    ...more,
  });
  return {
    config,
    identity,
    async requireCa() {
      if (await ca.healthy()) return;
      const hint = 'Start the slice first: kiwistack-slice up --dir DIR';
      throw new KiwiError('ca-unavailable', { detail: 'step-ca does not answer', hint });
    },
    async issueEnrollmentCertificate({ csr, serial, slot, role }) {
      const { cn } = await readCsr(csr);
      const pem = await ca.sign({
        csr,
        subject: `KiwiStack enrollment ${serial}`,
        requestedName: cn,
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
      return [certificate, identity.intermediate];
    },
    async registerYubikey({ serial, slot, role, certificate }) {
      const result = await registry.registerYubikey(
        { serial, slot, role, spki: base64url(certificate.spki) },
        { serial: certificate.serialHex, notAfter: certificate.notAfter.getTime() },
        clock.now(),
        audited('yubikey.register', { yubikeySerial: serial, why: `slot ${slot}, role ${role}` }),
      );
      if (result === 'exists') throw new KiwiError('yubikey-registered', { detail: `serial ${serial}` });
    },
    async burnYubikey(serial, why) {
      const entry = audited('yubikey.burn', { yubikeySerial: serial, why });
      if ((await registry.burnYubikey(serial, why, clock.now(), entry)) === 'unknown') {
        throw new KiwiError('yubikey-unregistered', { detail: `serial ${serial}` });
      }
      try {
        await revokeWanted({ registry, ca, clock });
        return { revoked: true };
      } catch (error) {
        // Burned all the same: the gateway asks the registry, and revokes when step-ca answers again.
        if (error instanceof KiwiError && error.code === 'ca-unavailable') return { revoked: false };
        throw error;
      }
    },
    findYubikey: (serial) => registry.findYubikey(serial),
    listYubikeys: () => registry.listYubikeys(),
    async listSessions() {
      const sessions = await registry.listSessions(clock.now());
      return sessions.map(({ id, code, remote, createdAt, expiresAt, usedAt }) => ({
        id,
        code,
        remote,
        createdAt,
        expiresAt,
        used: usedAt !== null,
      }));
    },
    async listDevices() {
      const devices = await registry.listDevices();
      return devices.map(({ presharedKey: _psk, csr: _csr, deviceKey: _key, ...listing }) => listing);
    },
    async consentToReenrollment(deviceId, hours) {
      const device = await registry.findDevice(deviceId);
      if (device === undefined || device.state === 'ended') throw new KiwiError('device-unknown', { detail: deviceId });
      const consent = {
        id: randomUUID(),
        deviceId,
        createdAt: clock.now(),
        expiresAt: clock.now() + hours * 3_600_000,
      };
      await registry.addConsent(consent, audited('device.consent', { deviceId, why: `${hours} h` }));
      return { consentId: consent.id, expiresAt: consent.expiresAt };
    },
    audit: (limit) => registry.listAudit(limit),
    async close() {
      await ca.close();
      registry.close();
    },
  };
}
