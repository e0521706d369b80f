import { z } from 'zod';

import { errorCode as code, wireError } from './wire-error.ts';

/**
 * What each request is answered with. The shapes are those of the operations (src/laptop), and the compiler holds them against each
 * other where the service encodes its answers; what is not named here does not leave the agent, whoever asks.
 */

const word = z.string().max(300);
const long = z.string().max(4000);
const list = <T extends z.ZodType>(item: T) => z.array(item).max(300).readonly();
/** In memory a Date. */
const time = z.codec(z.iso.datetime(), z.date(), {
  decode: (text) => new Date(text),
  encode: (date) => date.toISOString(),
});

const device = z.object({
  deviceId: word,
  hostName: word,
  address: word,
  probe: word,
  fleetUrl: word,
  keyKind: z.enum(['file', 'tpm']).optional(),
  tunnel: z.object({ networks: list(word), endpoints: list(word) }).optional(),
  fingerprintSalt: word.optional(),
  intermediate: z.string().max(8192).optional(),
  confirmed: z.boolean(),
  enrolledAt: word,
  certificate: z.object({ number: z.number(), renewAfter: word }).optional(),
});

/** The record without the exchange with the slice, and without the password of a proxy. */
const record = z.object({
  version: z.literal(1),
  state: z.enum(['enrolling', 'active']),
  attemptId: word,
  startedAt: word,
  slug: word,
  role: word,
  customer: word,
  gatewayUrl: z.string().max(500),
  /** Of what vouched for this laptop: a YubiKey, or a token. */
  yubikeySerial: z.number().exactOptional(),
  tokenId: word.exactOptional(),
  device: device.optional(),
  proxy: long.exactOptional(),
});
export type ShownRecord = z.output<typeof record>;

const deviceStatus = z.object({
  protocol: z.literal('kiwi/1'),
  deviceId: word,
  requestHash: word,
  state: z.enum(['pending', 'active', 'ended']),
  endReason: z
    .enum([
      ...['uninstalled', 'enrollment-failed', 'unconfirmed', 'superseded', 'yubikey-burned'],
      ...['lost', 'offboarded', 'churn'],
    ] as const)
    .nullable(),
  hardware: z.enum(['same', 'changed', 'seen-elsewhere']).nullable(),
  serverTime: word,
  fleet: z
    .object({
      ...{ reachable: z.boolean(), known: z.boolean(), online: z.boolean(), green: z.boolean() },
      ...{ orbitVersion: word.nullable(), osqueryVersion: word.nullable() },
    })
    .nullable(),
  extensions: z.record(word, z.object({ critical: z.boolean(), value: z.json() })).optional(),
});

export const checkOutcome = z.object({
  code: word,
  severity: z.enum(['failure', 'warning']),
  what: long,
  matters: long,
  state: z.enum(['well', 'not-well', 'not-known', 'not-looked-at']),
  saw: long,
  error: wireError.exactOptional(),
  fix: word.exactOptional(),
  because: list(word).exactOptional(),
});

const part = z.enum([
  ...(['network', 'names', 'gateway', 'ca', 'tunnel', 'endpoint', 'inside-names', 'fleet', 'device'] as const),
]);
const ability = z.enum(['inside', 'inside-names', 'certificate', 'management', 'renewal', 'news']);
const works = z.object({
  failing: list(z.object({ part, code, text: long })),
  works: list(ability),
  fails: list(ability),
  unknown: list(ability),
  until: z.object({ certificate: word.exactOptional(), renewal: word.exactOptional() }).exactOptional(),
});

/** What keeps the tunnel. */
export const keeper = z.enum(['app', 'daemon']);
const enrollment = z.object({
  record,
  halfRemoved: z.boolean(),
  certificate: z.object({
    present: z.boolean(),
    notAfter: word.exactOptional(),
    valid: z.boolean(),
    number: z.number().exactOptional(),
    renewal: word.exactOptional(),
  }),
  tunnel: z.object({
    ...{ up: z.boolean(), alive: z.boolean(), startsAtBoot: z.boolean(), inside: z.boolean() },
    /** Absent where nothing but this program can keep it. `waits`: for the person, who was offered the app's profile. */
    keeper: z.object({ by: keeper, waits: z.boolean() }).exactOptional(),
  }),
  agent: z.object({ running: z.boolean(), orbitEnrolled: z.boolean(), version: word.exactOptional() }),
  slice: z.union([deviceStatus, z.object({ error: code })]),
  links: list(z.object({ title: word, url: z.string().max(500).startsWith('https://') })),
  sliceAskedAt: word.exactOptional(),
  works,
  checks: list(checkOutcome),
  healthy: z.boolean(),
  reason: wireError.exactOptional(),
});
export type ShownEnrollment = z.output<typeof enrollment>;

const farewells = list(
  z.object({
    customer: word,
    deviceId: word,
    signedAt: word,
    toldAt: word.exactOptional(),
    error: wireError.exactOptional(),
  }),
);

export const statusReply = z.object({
  /** Absent when this laptop is not enrolled. */
  enrollment: enrollment.exactOptional(),
  farewells,
  /** What is on it of an enrollment without a record. */
  found: list(word),
});
export type StatusReply = z.output<typeof statusReply>;

const tunnelCare = z.object({
  mendedBy: z.enum(['nudge', 'readd', 'race']).exactOptional(),
  followedTo: word.exactOptional(),
  mtuLoweredTo: z.number().exactOptional(),
  mtuRaisedTo: z.number().exactOptional(),
  error: wireError.exactOptional(),
});
export type ShownTunnelCare = z.output<typeof tunnelCare>;

const renewed = z.object({ number: z.number(), notAfter: time });

const checkReply = z.object({
  farewells: list(z.object({ customer: word, deviceId: word, error: wireError.exactOptional() })),
  enrollment: z
    .object({
      record,
      slice: z.union([wireError, deviceStatus]),
      tunnel: tunnelCare.exactOptional(),
      renewal: z.union([wireError, renewed]).exactOptional(),
      removed: z.object({ leftBehind: list(word) }).exactOptional(),
    })
    .exactOptional(),
  remains: list(word).exactOptional(),
});
export type CheckReply = z.output<typeof checkReply>;

const renewReply = z.object({ record, renewed });
export type RenewReply = z.output<typeof renewReply>;

const uninstallReply = z.object({
  customer: word.optional(),
  farewell: z.enum(['told', 'kept', 'untold']),
  leftBehind: list(word),
  unsure: list(word),
});
export type UninstallReply = z.output<typeof uninstallReply>;

const doctorReply = z.object({
  record: z.union([wireError, record]),
  outcomes: list(checkOutcome),
  reason: wireError.exactOptional(),
});
export type DoctorReply = z.output<typeof doctorReply>;
export type ShownOutcome = z.output<typeof checkOutcome>;

const tunnelReply = z.object({ record, by: keeper });
const mendReply = z.object({ record, tunnel: tunnelCare });

/** As `doctor`, after the repairs. */
const repairReply = doctorReply.extend({
  repairs: list(
    z.object({
      ...{ name: word, does: word, for: list(word), mended: list(word) },
      error: wireError.exactOptional(),
    }),
  ),
});

export const REPLIES = {
  status: statusReply,
  doctor: doctorReply,
  check: checkReply,
  renew: renewReply,
  enroll: z.object({ record }),
  uninstall: uninstallReply,
  mend: mendReply,
  tunnel: tunnelReply,
  repair: repairReply,
  /** The bytes go to the caller, who writes them with the caller's own rights. */
  'support-bundle': z.object({ bundle: z.string().max(256 * 1024) }),
} as const;

export type Verb = keyof typeof REPLIES;
export type Reply<V extends Verb> = z.output<(typeof REPLIES)[V]>;
