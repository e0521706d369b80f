import { z } from 'zod';

import { uuid } from './common.ts';
import { auditRecord, deviceRecord, yubikeyRecord } from './operator-records.ts';

/** What an operator is shown of one laptop. As with the other records, the objects are not strict. */

const millis = z.int();

/** A part of what is done about a lost laptop, and how far it is. */
export const lossRecord = z.object({
  part: z.enum(['tunnel', 'lock', 'wipe', 'enroll-secret', 'directory', 'directory-return', 'recovery-key']),
  /** `asked`: Fleet has accepted it. `impossible`: it will never be done, and the detail says why. */
  state: z.enum(['wanted', 'asked', 'done', 'impossible']),
  /** Since when it is so. */
  at: millis,
  /** The last attempt that failed. */
  triedAt: millis.nullable(),
  detail: z.string().max(2000).nullable(),
});

export const certificateRecord = z.object({
  serial: z.string().max(100),
  notAfter: millis,
  /** Why it has to be revoked; null while it is valid. */
  revokeWhy: z.string().max(500).nullable(),
  /** When step-ca accepted the revocation. */
  revokedAt: millis.nullable(),
});

export const deviceReport = z.object({
  device: deviceRecord,
  /** Those that the registry still has, oldest first. */
  certificates: z.array(certificateRecord),
  /** What its peer on the endpoint reaches, as soon as the slice runs. */
  tunnel: z.enum(['open', 'fleet-only', 'none']),
  /** What was recorded to be done about a lost one; empty for any other. */
  loss: z.array(lossRecord),
  /** What is still to be removed outside the registry. */
  duties: z.array(z.enum(['peer', 'fleet-host'])),
  /** When two laptops were found to use it. */
  copiedAt: millis.nullable(),
  /** Those that nobody has acknowledged. */
  alarms: z.array(auditRecord),
  /** Consents to its next enrollment that were not used. */
  consents: z.array(z.object({ id: uuid, expiresAt: millis })),
});
export type DeviceReport = z.output<typeof deviceReport>;

/** What an operator is shown of one YubiKey. */
export const keyReport = z.object({
  yubikey: yubikeyRecord,
  /** Those that the registry still has, oldest first. */
  certificates: z.array(certificateRecord),
  /** The laptops that it has enrolled, or was enrolling, oldest first. */
  devices: z.array(deviceRecord.pick({ id: true, hostName: true, state: true, endReason: true, createdAt: true })),
});
export type KeyReport = z.output<typeof keyReport>;
