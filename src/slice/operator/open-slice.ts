import { createPrivateKey, randomUUID } from 'node:crypto';

import { base64url } from '../../core/bytes.ts';
import type { Clock } from '../../core/clock.ts';
import { KiwiError } from '../../core/errors.ts';
import { parseCertificate, type Certificate } from '../../pki/certificate.ts';
import { readCsr } from '../../pki/csr.ts';
import { enrollmentUri } from '../../pki/roles.ts';
import type { Consent } from '../../protocol/consent.ts';
import type { EndReason } from '../../protocol/device-messages.ts';
import type { PivSlot } from '../../protocol/statement.ts';
import { AuditSeal } from '../audit/audit-seal.ts';
import { describeConsent, type ConsentListing } from '../approvals/describe-consent.ts';
import { signConsent, type ConsentWish } from '../approvals/sign-consent.ts';
import { createCaClient } from '../ca/ca-client.ts';
import { PROVISIONER } from '../ca/render-ca-config.ts';
import { readSliceConfig, type SliceConfig } from '../config/slice-config.ts';
import { loadIdentity, readPart, type SliceIdentity } from '../config/slice-identity.ts';
import { slicePaths } from '../config/slice-paths.ts';
import { firmwareFlaw } from '../decisions/firmware-flaw.ts';
import type { AuditEntry, AuditRecord, Device, SentBundle, Session, Yubikey } from '../registry/registry.ts';
import { openRegistry } from '../open-registry.ts';
import { revokeWanted } from '../upkeep/settle-ended.ts';
import { auditTrail, type AuditTrail, type TrailReport } from './audit-trail.ts';
import { byId } from './by-id.ts';
import { findDevice } from './find-device.ts';
import { verifyBundle, type VerifiedBundle } from './verify-bundle.ts';

/** A session as an operator sees it; the laptop shows the same code. */
export type SessionListing = Pick<Session, 'id' | 'code' | 'remote' | 'createdAt' | 'expiresAt'> & { used: boolean };
/** A device as an operator sees it: without its secrets. */
export type DeviceListing = Omit<Device, 'presharedKey' | 'csr' | 'deviceKey'>;

export type BundleListing = SentBundle & { readonly hostName: string };

export { MAX_EXPORT as MAX_AUDIT_EXPORT } from '../audit/export-trail.ts';
export type { ConsentListing, ConsentWish, TrailReport, VerifiedBundle, Yubikey };

/** Why an operator ends a device; see docs/operators.md. */
export type OperatorEndReason = Extract<EndReason, 'lost' | 'offboarded' | 'churn'>;

/**
 * What an operator can do with a slice. It uses the same registry as the gateway; both may be open at the same time.
 */
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
  /**
   * From now on the key may enroll laptops.
   * @throws KiwiError `yubikey-registered`, `yubikey-burned` without `reinstate`
   */
  registerYubikey(input: {
    serial: number;
    slot: PivSlot;
    role: string;
    certificate: Certificate;
    reinstate?: boolean;
  }): Promise<void>;
  /**
   * Permanently bars the key from enrolling. Its certificates are revoked, now or by the gateway once step-ca answers.
   * @throws KiwiError `yubikey-unregistered`
   */
  burnYubikey(serial: number, why: string): Promise<{ revoked: boolean }>;
  /** Why the slice warns of a YubiKey's firmware, or refuses it (`config.firmware`). */
  firmwareFlaw(firmware: string): string | undefined;
  findYubikey(serial: number): Promise<Yubikey | undefined>;
  listYubikeys(): Promise<Yubikey[]>;
  /** The live ones. */
  listSessions(): Promise<SessionListing[]>;
  listDevices(): Promise<DeviceListing[]>;
  /**
   * Ends live devices, and lost ones for good: fingerprint, address and name are free at once; certificates are revoked now, or by the gateway
   * once step-ca answers; the gateway removes the peers.
   */
  endDevices(devices: readonly DeviceListing[], reason: OperatorEndReason): Promise<{ revoked: boolean }>;
  /**
   * Lets a device that was stopped because two laptops used it renew its certificate again; the next laptop that asks goes on.
   * @returns whether it was stopped
   * @throws KiwiError `device-unknown`
   */
  releaseDevice(idOrName: string, why: string): Promise<{ device: DeviceListing; released: boolean }>;
  /** A live or lost device by id or host name. @throws KiwiError `device-unknown` */
  findDevice(idOrName: string): Promise<DeviceListing>;
  /**
   * Consents to one re-enrollment of a live or lost laptop, signed with the operator's key.
   * @throws KiwiError `device-unknown`, `slice-damaged`, `usage`
   */
  consentToReenrollment(idOrName: string, wish: ConsentWish): Promise<Consent>;
  /** Newest first. */
  listConsents(): Promise<ConsentListing[]>;
  /** @throws KiwiError `consent-refused` when there is no such unused consent */
  withdrawConsent(consentId: string): Promise<void>;
  /** Newest first. @param since milliseconds since 1970 */
  audit(limit: number, since?: number): Promise<AuditRecord[]>;
  /** The same records as evidence. */
  readonly trail: AuditTrail;
  /** The alarms about devices that nobody has acknowledged, newest first. */
  alarms(): Promise<AuditRecord[]>;
  /** Takes an alarm out of the list. @returns false when there is no such open alarm */
  acknowledgeAlarm(id: number, why: string): Promise<boolean>;
  /** Proves whose a support bundle is. @throws KiwiError `bundle-invalid`, `device-unknown` */
  verifyBundle(bytes: Uint8Array): Promise<VerifiedBundle>;
  /** The bundles that laptops have sent, newest first, with the names of their laptops. */
  listBundles(): Promise<BundleListing[]>;
  /** One of them, verified anew, for an operator who reads it: this is audited. @throws KiwiError `usage`, `bundle-invalid` */
  readBundle(id: number): Promise<VerifiedBundle & { readonly text: string }>;
  /** @throws KiwiError `usage` when there is none */
  removeBundle(id: number): Promise<void>;
  close(): Promise<void>;
}

/** Opens the slice in a folder for an operator. @throws KiwiError `slice-missing` */
export async function openSlice(dir: string, clock: Clock): Promise<OperatorSlice> {
  const paths = slicePaths(dir);
  const config = await readSliceConfig(dir);
  const identity = await loadIdentity(paths);
  const registry = openRegistry(paths);
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
  const { slug } = config.customer;
  const seal = new AuditSeal({ file: paths.auditCheckpoint, slug, identity, registry, clock });
  const revokeIfPossible = async (): Promise<boolean> => {
    try {
      await revokeWanted({ registry, ca, clock });
      return true;
    } catch (error) {
      if (error instanceof KiwiError && error.code === 'ca-unavailable') return false;
      throw error;
    }
  };
  return {
    config,
    identity,
    async requireCa() {
      if (await ca.healthy()) return;
      throw new KiwiError('ca-unavailable', { detail: 'step-ca does not answer' });
    },
    async issueEnrollmentCertificate({ csr, serial, slot, role }) {
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
      return [certificate, identity.intermediate];
    },
    async registerYubikey({ serial, slot, role, certificate, reinstate = false }) {
      const result = await registry.registerYubikey(
        { serial, slot, role, spki: base64url(certificate.spki) },
        { serial: certificate.serialHex, notAfter: certificate.notAfter.getTime() },
        clock.now(),
        audited('yubikey.register', { yubikeySerial: serial, why: `slot ${slot}, role ${role}` }),
        { reinstate },
      );
      if (result === 'burned') throw new KiwiError('yubikey-burned', { detail: `serial ${serial}` });
      if (result === 'exists') throw new KiwiError('yubikey-registered', { detail: `serial ${serial}` });
    },
    async burnYubikey(serial, why) {
      const entry = audited('yubikey.burn', { yubikeySerial: serial, why });
      if ((await registry.burnYubikey(serial, why, clock.now(), entry)) === 'unknown') {
        throw new KiwiError('yubikey-unregistered', {
          detail: `serial ${serial}`,
          hint: 'See `kiwistack-operator yubikey list`.',
        });
      }
      // The key is burned in any case: the gateway asks the registry, and revokes when step-ca answers again.
      return { revoked: await revokeIfPossible() };
    },
    firmwareFlaw: (firmware) => firmwareFlaw(firmware, config.firmware.minimum),
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
      return (await registry.listDevices()).map(toListing);
    },
    async endDevices(devices, reason) {
      for (const { id, hostName } of devices) {
        const entry = audited('device.end', { deviceId: id, why: `${hostName}: ${reason}` });
        await registry.endDevice(id, reason, clock.now(), entry);
      }
      return { revoked: await revokeIfPossible() };
    },
    async releaseDevice(idOrName, why) {
      const device = await findDevice(registry, idOrName);
      const entry = audited('device.release', { deviceId: device.id, why: `${device.hostName}: ${why}` });
      const released = await registry.releaseDevice(device.id, clock.now(), entry);
      return { device: toListing(device), released };
    },
    findDevice: async (idOrName) => toListing(await findDevice(registry, idOrName)),
    async consentToReenrollment(idOrName, wish) {
      const device = await findDevice(registry, idOrName);
      const key = await readPart(paths.operator.consentKey, true);
      const now = clock.now();
      const { consent, jws } = await signConsent(config, key, device, wish, now);
      const { consentId: id, operator, expiresAt } = consent;
      const why = `${operator}, until ${expiresAt}${wish.newMainboard ? ', new mainboard' : ''}: ${wish.why}`;
      await registry.addConsent(
        { id, deviceId: device.id, createdAt: now, expiresAt: Date.parse(expiresAt), jws },
        audited('device.consent', { deviceId: device.id, why }),
      );
      return consent;
    },
    async listConsents() {
      const [consents, devices] = await Promise.all([registry.listConsents(), registry.listDevices()]);
      const trust = { slug: config.customer.slug, operators: config.operators };
      return consents.map((consent) => describeConsent(consent, devices, trust, clock.now()));
    },
    async withdrawConsent(consentId) {
      const id = byId(await registry.listConsents(), consentId)?.id ?? consentId;
      const entry = audited('device.withdraw', { why: `consent ${id}` });
      if (await registry.withdrawConsent(id, clock.now(), entry)) return;
      throw new KiwiError('consent-refused', { detail: `no unused consent ${consentId}` });
    },
    verifyBundle: (bytes) => verifyBundle(registry, bytes),
    async listBundles() {
      const [bundles, devices] = await Promise.all([registry.listBundles(), registry.listDevices()]);
      const names = new Map(devices.map(({ id, hostName }) => [id, hostName]));
      return bundles.map((bundle) => ({ ...bundle, hostName: names.get(bundle.deviceId) ?? '' }));
    },
    async readBundle(id) {
      const bundle = (await registry.findBundle(id)) ?? noBundle(id);
      const verified = await verifyBundle(registry, Buffer.from(bundle.text));
      const why = `${verified.device.hostName}: bundle ${id}`;
      await registry.audit(audited('bundle.read', { deviceId: bundle.deviceId, why }), clock.now());
      return { ...verified, text: bundle.text };
    },
    async removeBundle(id) {
      const { deviceId } = (await registry.findBundle(id)) ?? noBundle(id);
      const entry = audited('bundle.remove', { deviceId, why: `bundle ${id}` });
      if (!(await registry.removeBundle(id, clock.now(), entry))) noBundle(id);
    },
    audit: (limit, since) => registry.listAudit(limit, since),
    trail: auditTrail({ registry, seal, slug, root: identity.mspRoot, now: () => clock.now(), audited }),
    alarms: () => registry.listAlarms(),
    acknowledgeAlarm: (id, why) =>
      registry.acknowledgeAlarm(id, clock.now(), audited('alarm.acknowledge', { why: `alarm ${id}: ${why}` })),
    async close() {
      await ca.close();
      registry.close();
    },
  };
}

function toListing(device: Device): DeviceListing {
  const { presharedKey: _psk, csr: _csr, deviceKey: _key, ...listing } = device;
  return listing;
}

function noBundle(id: number): never {
  throw new KiwiError('usage', { detail: `no bundle ${id}`, hint: 'See `kiwistack-operator bundle list`.' });
}
