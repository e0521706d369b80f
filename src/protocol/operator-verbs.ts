import { z } from 'zod';

import { base64urlOf, base64urlUpTo, digestText, text, uuid } from './common.ts';
import { COMPONENT_LENGTH } from './component-text.ts';
import { consent } from './consent.ts';
import {
  aboutSlice,
  approvalRecord,
  auditRecord,
  bundleRecord,
  certificateText,
  claimRecord,
  consentRecord,
  deviceRecord,
  endorsement,
  operatorRecord,
  operatorRole,
  recoveryKeyRecord,
  sessionRecord,
  tokenRecord,
  trailReport,
  twoPersonSetting,
  verifiedBundle,
  yubikeyRecord,
  yubikeySerial,
  type OperatorRole,
} from './operator-records.ts';
import { deviceReport, keyReport } from './device-report.ts';
import { operatorName } from './operator-sign-in.ts';
import { MAX_STATEMENT } from './operator-statement.ts';
import { pivSlot } from './statement.ts';

/** One thing that an operator can have a slice do. */
export interface OperatorVerb<A extends z.ZodType = z.ZodType, R extends z.ZodType = z.ZodType> {
  /** The least that the operator has to be. */
  readonly role: OperatorRole;
  /** Whether the slice is another one afterwards. */
  readonly changes: boolean;
  /** Whether a second operator may have to sign it: src/slice/decisions/needs-two.ts says when. */
  readonly critical: boolean;
  readonly arguments: A;
  readonly result: R;
  /** Sizes of the JSON, in bytes. */
  readonly maxArguments: number;
  readonly maxResult: number;
}

const KB = 1024;
/** A list of everything: some twenty thousand laptops. */
const LIST = { maxResult: 32 * KB * KB };

type More = Partial<Pick<OperatorVerb, 'critical' | 'maxArguments' | 'maxResult'>>;
const verb =
  (changes: boolean) =>
  <A extends z.ZodType, R extends z.ZodType>(
    role: OperatorRole,
    given: A,
    result: R,
    more: More = {},
  ): OperatorVerb<A, R> => ({
    ...{ role, changes, critical: false, arguments: given, result },
    ...{ maxArguments: 16 * KB, maxResult: 64 * KB, ...more },
  });
const reads = verb(false);
const changes = verb(true);

const nothing = z.strictObject({});
/** An identifier, its beginning, or a host name. */
const which = text(64);
const why = text(500);
const revoked = z.object({ revoked: z.boolean() });
const bundleId = z.int().min(0);

/**
 * Everything that an operator can have a slice do, in the slice's folder or over the network. This table is the whole interface: what
 * has no row cannot be asked.
 */
export const OPERATOR_VERBS = {
  'slice.about': reads('read', nothing, aboutSlice),
  /** Whether step-ca issues now: asked before something is begun that needs a certificate in the end. */
  'slice.issues': reads('read', nothing, z.object({ ready: z.boolean() })),
  /**
   * What would be refused before anything is done, if this were asked now: by the role, because a second admin would be missing, or because
   * what it is about is not there. `needsTwo`: a second operator has to sign it.
   */
  'verb.rehearse': reads(
    'read',
    z.strictObject({ verb: text(64), arguments: z.json() }),
    z.object({ needsTwo: z.boolean() }),
    { maxArguments: 5 * KB * KB },
  ),
  /** When two operators are needed, from now on. */
  'slice.protect': changes('admin', twoPersonSetting, z.object({}), { critical: true }),

  /** That the intermediate may be changed for one with this key, SHA-256 of its SubjectPublicKeyInfo: root makes the change itself. */
  'intermediate.permit': changes('admin', z.strictObject({ keyDigest: digestText }), z.object({}), { critical: true }),

  'device.list': reads('read', nothing, z.array(deviceRecord), LIST),
  /** A live or lost device. */
  'device.find': reads('read', z.strictObject({ device: which }), deviceRecord),
  /** Ends live devices, and lost ones for good. `revoked`: step-ca has answered; otherwise the gateway goes on trying. */
  'device.end': changes(
    'admin',
    z.strictObject({ devices: z.array(uuid).max(100_000), why: z.enum(['lost', 'offboarded', 'churn']) }),
    revoked,
    { critical: true, maxArguments: 4 * KB * KB },
  ),
  /** All that is known about a laptop, also an ended one. */
  'device.report': reads('read', z.strictObject({ device: which }), deviceReport, { maxResult: KB * KB }),
  /** Everything about a lost laptop, as one act; Fleet wipes or locks it if that is asked for. Safe to repeat. */
  'device.lose': changes(
    'admin',
    z.strictObject({ device: which, action: z.enum(['lock', 'wipe']).exactOptional(), why }),
    deviceReport,
    { critical: true, maxResult: KB * KB },
  ),
  /** Gives a live or lost device another name among operators; null takes it away. */
  'device.rename': changes('helpdesk', z.strictObject({ device: which, label: text(63).nullable() }), deviceRecord),
  /** Lets a device that was stopped because two laptops used it renew its certificate again. */
  'device.release': changes(
    'admin',
    z.strictObject({ device: which, why }),
    z.object({ device: deviceRecord, released: z.boolean() }),
  ),

  'consent.list': reads('read', nothing, z.array(consentRecord), LIST),
  /** To one re-enrollment of a live or lost laptop. */
  'consent.give': changes(
    'helpdesk',
    z.strictObject({
      device: which,
      hours: z.int().min(1).max(8760),
      // The schema of the consent has the limit.
      why: z.string().max(2000),
      newMainboard: z.boolean(),
    }),
    consent,
  ),
  /** The same over the network, signed with the operator's YubiKey: compact JWS, as the slice keeps it. */
  'consent.file': changes('helpdesk', z.strictObject({ consent: z.string().max(4096) }), consent),
  'consent.withdraw': changes('helpdesk', z.strictObject({ consent: which }), z.object({ consentId: uuid })),

  'session.list': reads('read', nothing, z.array(sessionRecord), LIST),

  /** Records what the slice has to know of the tokens for the laptops of a delivery; their secrets never reach it. */
  'batch.create': changes(
    'admin',
    z.strictObject({
      ...{ batch: text(64), role: text(64), expiresAt: z.int().min(0) },
      tokens: z
        .array(
          z.strictObject({
            ...{ id: uuid, serial: text(COMPONENT_LENGTH), uuid: uuid.nullable(), model: text(100).nullable() },
            endorsement: endorsement.nullable(),
            /** pki/claim-token.ts */
            key: base64urlOf(32),
          }),
        )
        .min(1)
        .max(10_000),
    }),
    z.object({}),
    { maxArguments: 8 * KB * KB },
  ),
  /** By batch and serial number; of all batches, or of one. */
  'batch.tokens': reads('read', z.strictObject({ batch: text(64).exactOptional() }), z.array(tokenRecord), LIST),
  /** No laptop is let in by them any more. Those that were used stay as they are. */
  'batch.revoke': changes(
    'admin',
    z.strictObject({ tokens: z.array(uuid).min(1).max(10_000), why }),
    z.object({ revoked: z.int() }),
    { maxArguments: KB * KB },
  ),

  /** Oldest first: those that wait, or all. */
  'claim.list': reads('read', z.strictObject({ all: z.boolean() }), z.array(claimRecord), LIST),
  /** Lets a laptop in that waits, once somebody has compared its code. */
  'claim.approve': changes('helpdesk', z.strictObject({ claim: which }), claimRecord),
  'claim.refuse': changes('helpdesk', z.strictObject({ claim: which, why }), claimRecord),
  /** Lets a token be used once more, or longer, or by the same laptop with another mainboard. */
  'claim.reopen': changes(
    'admin',
    z.strictObject({
      ...{ token: which, hours: z.int().min(1).max(8760), why },
      ...{ serial: text(COMPONENT_LENGTH).exactOptional(), uuid: uuid.exactOptional() },
    }),
    tokenRecord,
  ),

  'yubikey.list': reads('read', nothing, z.array(yubikeyRecord), LIST),
  'yubikey.find': reads('read', z.strictObject({ serial: yubikeySerial }), yubikeyRecord.nullable()),
  /** All that is known about a registered one. */
  'yubikey.report': reads('read', z.strictObject({ serial: yubikeySerial }), keyReport, { maxResult: 4 * KB * KB }),
  /** Has step-ca issue the certificate of an enrollment key. Needs the slice to be up. */
  'yubikey.certify': changes(
    'admin',
    z.strictObject({ csr: base64urlUpTo(4096), serial: yubikeySerial, slot: pivSlot, role: text(64) }),
    z.object({ certificate: certificateText, intermediate: certificateText }),
  ),
  /** From now on the key may enroll laptops. */
  'yubikey.register': changes(
    'admin',
    z.strictObject({
      ...{ serial: yubikeySerial, slot: pivSlot, role: text(64), certificate: certificateText },
      /** Also if it was burned. */
      reinstate: z.boolean(),
    }),
    z.object({}),
  ),
  /** Permanently bars the key from enrolling. */
  'yubikey.burn': changes('admin', z.strictObject({ serial: yubikeySerial, why }), revoked, { critical: true }),

  /** Newest first. */
  'approval.list': reads('read', nothing, z.array(approvalRecord), LIST),
  'approval.find': reads('read', z.strictObject({ approval: which }), approvalRecord, { maxResult: 512 * KB }),
  /** Leaves a statement that one admin has signed for another one to approve. */
  'approval.ask': changes('admin', z.strictObject({ statement: z.string().max(MAX_STATEMENT) }), approvalRecord, {
    ...{ maxArguments: 512 * KB, maxResult: 512 * KB },
  }),
  /** The second signature over the same bytes. What the statement says is carried out, once; `result` is that of its verb. */
  'approval.approve': changes(
    'admin',
    z.strictObject({
      approval: uuid,
      /** As in a general JWS. */
      signature: z.strictObject({ protected: z.string().max(1024), signature: z.string().max(200) }),
    }),
    z.object({ verb: text(64), result: z.json() }),
    { maxResult: KB * KB },
  ),
  'approval.refuse': changes('admin', z.strictObject({ approval: uuid, why }), z.object({})),

  'operator.list': reads('read', nothing, z.array(operatorRecord), { maxResult: KB * KB }),
  /** Has step-ca issue the certificate of an operator's key. The key has to be attested, with PIN and touch for every use. */
  'operator.add': changes(
    'admin',
    z.strictObject({
      ...{ name: operatorName, role: operatorRole, serial: yubikeySerial, slot: pivSlot, csr: base64urlUpTo(4096) },
      ...{ attestation: base64urlUpTo(4096), attestationIssuer: base64urlUpTo(4096) },
    }),
    operatorRecord,
    { critical: true, maxArguments: 32 * KB },
  ),
  /** The session ends at once, and the certificate is revoked. */
  'operator.remove': changes('admin', z.strictObject({ name: operatorName, why }), revoked, { critical: true }),

  'audit.list': reads(
    'read',
    z.strictObject({ limit: z.int().min(1).max(100_000), since: z.int().exactOptional() }),
    z.array(auditRecord),
    LIST,
  ),
  /** Reads all of it, and compares it with the gateway's last checkpoint and with one of an earlier export. */
  'audit.verify': reads(
    'read',
    z.strictObject({
      checkpoint: z
        .string()
        .max(16 * KB)
        .exactOptional(),
    }),
    trailReport,
  ),
  /** The next lines of an export, after so many records; the first page says up to where it goes. */
  'audit.export': reads(
    'read',
    z.strictObject({ after: z.int().min(0), until: z.int().min(0).exactOptional() }),
    z.object({
      records: z.array(auditRecord),
      until: z.int(),
      checkpoint: z
        .string()
        .max(16 * KB)
        .exactOptional(),
    }),
    LIST,
  ),
  /** Seals a trail that was changed as it is now. */
  'audit.accept': changes('admin', z.strictObject({ why }), z.object({}), { critical: true }),

  /** The alarms about devices, and about changes of the intermediate, that nobody has acknowledged. */
  'alarm.list': reads('read', nothing, z.array(auditRecord), LIST),
  /** `acknowledged` is false when there is no such open alarm. */
  'alarm.acknowledge': changes(
    'helpdesk',
    z.strictObject({ alarm: z.int().min(0), why }),
    z.object({ acknowledged: z.boolean() }),
  ),

  'bundle.list': reads('read', nothing, z.array(bundleRecord), LIST),
  /** One that a laptop has sent, verified anew. Reading it is audited. */
  'bundle.read': reads(
    'helpdesk',
    z.strictObject({ bundle: bundleId }),
    verifiedBundle.extend({ text: z.string().max(256 * KB) }),
    { maxResult: KB * KB },
  ),
  /** Whose a bundle is that somebody handed over. */
  'bundle.verify': reads('helpdesk', z.strictObject({ bundle: base64urlUpTo(256 * KB) }), verifiedBundle, {
    maxArguments: 512 * KB,
    maxResult: KB * KB,
  }),
  'bundle.remove': changes('admin', z.strictObject({ bundle: bundleId }), z.object({})),

  /** What the slice has of the disks of laptops; of one laptop, also an ended one. */
  'recovery-key.list': reads(
    'read',
    z.strictObject({ device: which.exactOptional() }),
    z.array(recoveryKeyRecord),
    LIST,
  ),
  /**
   * The recovery key of a laptop's disk, still encrypted to the customer's recipients: the newest one, unless another is named. Its laptop
   * makes another one afterwards.
   */
  'recovery-key.show': changes(
    'admin',
    z.strictObject({ device: which, generation: z.int().min(1).exactOptional(), why }),
    recoveryKeyRecord.extend({ escrow: z.array(z.string().max(3072)).max(4) }),
    { critical: true },
  ),
} as const satisfies Record<string, OperatorVerb>;

export type Verb = keyof typeof OPERATOR_VERBS;
export type Arguments<V extends Verb> = z.output<(typeof OPERATOR_VERBS)[V]['arguments']>;
export type Result<V extends Verb> = z.output<(typeof OPERATOR_VERBS)[V]['result']>;

export const isVerb = (name: string): name is Verb => Object.hasOwn(OPERATOR_VERBS, name);

/** Arguments that may be left out where a verb takes none. */
type Given<V extends Verb> =
  Record<string, never> extends Arguments<V> ? [given?: Arguments<V>] : [given: Arguments<V>];

/** A slice as an operator has it: in its folder, or over the network. */
export interface OperatorSlice {
  /** @throws KiwiError as the verb says; `usage` for arguments that its schema does not allow */
  ask<V extends Verb>(verb: V, ...given: Given<V>): Promise<Result<V>>;
  /** Safe to repeat. */
  close(): Promise<void>;
}
