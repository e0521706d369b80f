import { z } from 'zod';

import { base64urlOf, digestText, protocol, timestamp, uuid } from './common.ts';

/** `POST /v1/devices/{deviceId}/confirm`: compact JWS, `typ` kiwi-confirm+jws, by the device key. */
export const confirm = z.strictObject({
  protocol,
  deviceId: uuid,
  /** SHA-256 of the JWE that carried the grant, as received. */
  grantHash: digestText,
  /** SHA-256 of the names of the steps applied, joined by LF: the record of what was done. */
  stepsDigest: digestText,
  timestamp,
});
export type Confirm = z.infer<typeof confirm>;

/** `POST /v1/devices/{deviceId}/status`: compact JWS, `typ` kiwi-status+jws, by the device key. Changes nothing. */
export const statusRequest = z.strictObject({ protocol, deviceId: uuid, nonce: base64urlOf(16), timestamp });
export type StatusRequest = z.infer<typeof statusRequest>;

/** `POST /v1/devices/{deviceId}/leave`: compact JWS, `typ` kiwi-leave+jws, by the device key. Safe to repeat. */
export const leave = z.strictObject({
  protocol,
  deviceId: uuid,
  reason: z.enum(['uninstalled', 'enrollment-failed']),
  timestamp,
});
export type Leave = z.infer<typeof leave>;

/** The answer to confirm, status and leave. */
export const deviceStatus = z.strictObject({
  protocol,
  deviceId: uuid,
  state: z.enum(['pending', 'active', 'ended']),
  serverTime: timestamp,
  /** What the gateway heard from Fleet itself; null when it has not asked or Fleet does not answer. */
  fleet: z
    .strictObject({
      reachable: z.boolean(),
      known: z.boolean(),
      online: z.boolean(),
      orbitVersion: z.string().max(50).nullable(),
      osqueryVersion: z.string().max(50).nullable(),
      green: z.boolean(),
    })
    .nullable(),
});
export type DeviceStatus = z.infer<typeof deviceStatus>;
