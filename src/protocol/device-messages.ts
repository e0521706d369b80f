import { z } from 'zod';

import { base64urlOf, digestText, protocol, timestamp, uuid } from './common.ts';
import { message } from './extensions.ts';
import { fingerprint } from './fingerprint.ts';

/** `POST /v1/devices/{deviceId}/confirm`: compact JWS, `typ` kiwi-confirm+jws, by the device key. */
export const confirm = message({
  protocol,
  deviceId: uuid,
  /** SHA-256 of the JWE that carried the grant, as received. */
  grantHash: digestText,
  /** Fingerprint of the hardware that the laptop runs on now, which reveals a disk copied to another machine. */
  fingerprint: fingerprint.optional(),
  timestamp,
});
export type Confirm = z.infer<typeof confirm>;

/**
 * `POST /v1/devices/{deviceId}/status`: compact JWS, `typ` kiwi-status+jws, by the device key. Does not change the
 * device.
 */
export const statusRequest = message({
  protocol,
  deviceId: uuid,
  nonce: base64urlOf(16),
  fingerprint: fingerprint.optional(),
  timestamp,
});
export type StatusRequest = z.infer<typeof statusRequest>;

/**
 * `POST /v1/devices/{deviceId}/leave`: compact JWS, `typ` kiwi-leave+jws, by the device key. Safe to repeat, and valid
 * at any time: a laptop that cannot reach the slice keeps the message and deletes the key.
 */
export const leave = message({
  protocol,
  deviceId: uuid,
  reason: z.enum(['uninstalled', 'enrollment-failed']),
  timestamp,
});
export type Leave = z.infer<typeof leave>;

/** Why a device ended. An operator gives the last three; of these, only `lost` removes nothing from the laptop. */
export const endReason = z.enum([
  'uninstalled',
  'enrollment-failed',
  'unconfirmed',
  'superseded',
  'yubikey-burned',
  'lost',
  'offboarded',
  'churn',
]);
export type EndReason = z.infer<typeof endReason>;

/** The answer to confirm, status and leave: compact JWS, `typ` kiwi-device-status+jws, by the grant key, as the challenge. */
export const deviceStatus = message({
  protocol,
  deviceId: uuid,
  /** SHA-256 of the request's compact JWS, so that an answer to another request proves nothing. */
  requestHash: digestText,
  state: z.enum(['pending', 'active', 'ended']),
  /** Null while the device is live, and for a device that the slice does not know (any more). */
  endReason: endReason.nullable(),
  /**
   * The hardware in the request compared with that of the enrollment. `changed`: this is other hardware.
   * `seen-elsewhere`: this is the laptop that enrolled, and its key was used on another machine. Null when the request
   * does not say.
   */
  hardware: z.enum(['same', 'changed', 'seen-elsewhere']).nullable(),
  serverTime: timestamp,
  /** What Fleet itself told the gateway; null when it was not asked or did not answer. */
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
