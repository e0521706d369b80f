import { randomUUID } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';

import { z } from 'zod';

import { isMissing, removeDurableFile, writeDurableFile } from '../../core/durable-file.ts';
import { KiwiError } from '../../core/errors.ts';
import { readCappedFile } from '../../core/read-capped-file.ts';
import { systemErrorCode } from '../../core/system-error-code.ts';
import { digestText, gatewayUrl as gatewayUrlSchema, slug as slugSchema, uuid } from '../../protocol/common.ts';
import { parseMessage } from '../../protocol/parse.ts';

const MAX_BYTES = 512 * 1024;

/**
 * The record of this laptop's enrollment: one file, private to root. It holds no key and no PIN. Until the grant is applied
 * it also holds the exchange with the slice, byte for byte, so that an interrupted run can be resumed without a second touch;
 * the grant in it is encrypted to the device key.
 */
const schema = z.strictObject({
  version: z.literal(1),
  state: z.enum(['enrolling', 'active']),
  attemptId: z.uuid(),
  startedAt: z.iso.datetime({ precision: 3 }),
  slug: z.string().max(32),
  role: z.string().max(64),
  customer: z.string().max(100),
  gatewayUrl: z.string().max(500),
  /** URL of the proxy through which the gateway was reached: what runs later from a timer needs it. May hold a password. */
  proxy: z.string().max(2000).optional(),
  /** The YubiKey that vouched for this laptop; 0 in a rebuilt record. */
  yubikeySerial: z.int().optional(),
  /** The token that vouches for it instead, and the root that counts: SHA-256 of its DER, base64url. */
  claim: z.strictObject({ tokenId: uuid, root: digestText }).optional(),
  /** The person, or the owner of the laptop, wants people to sign in with the account of their organisation. */
  signIn: z.literal(true).optional(),
  exchange: z
    .strictObject({
      /** The certificate on the key, PEM; absent in a claim. */
      keyCertificate: z.string().optional(),
      /** JSON, as sent. */
      hello: z.string(),
      /** Compact JWS, as received. */
      challenge: z.string(),
      /** Our clock when it arrived: its time is compared with this, even by a run that resumes much later. */
      challengeAt: z.iso.datetime({ precision: 3 }),
      /** The requested name of the laptop. */
      hostName: z.string(),
      /** Compact JWE, stored before it is sent. */
      statement: z.string().optional(),
      /** Compact JWE, as received. */
      grant: z.string().optional(),
    })
    .optional(),
  device: z
    .strictObject({
      deviceId: uuid,
      hostName: z.string(),
      address: z.string(),
      probe: z.string(),
      fleetUrl: z.string(),
      /** Where the device key is; absent in records of earlier versions, which only had keys in files. */
      keyKind: z.enum(['file', 'tpm']).optional(),
      /** What the grant says about the tunnel, for later: networks may come to overlap, and a slice may move. */
      tunnel: z
        .strictObject({
          /** IPv4 networks that are reached through it, and its own address. */
          networks: z.array(z.string().max(18)).max(33),
          /** `host:port`, as granted. */
          endpoints: z.array(z.string().max(260)).max(4),
        })
        .optional(),
      /** The customer's salt: later fingerprints of the hardware are made with it. */
      fingerprintSalt: z.string().optional(),
      /** PEM: the customer's intermediate, so that the slice's answers can be verified when the certificate is lost. */
      intermediate: z.string().max(8192).optional(),
      /** Set before the confirmation is sent: from then on the slice cannot be relied on to end the device automatically. */
      confirmed: z.boolean().default(false),
      enrolledAt: z.iso.datetime({ precision: 3 }),
      /** The certificate that the laptop holds. A record of version 0.1.0 does not have it: that one is the enrollment's. */
      certificate: z
        .strictObject({
          number: z.int().min(1),
          renewAfter: z.iso.datetime({ precision: 3 }),
          /** The slice's clock minus ours when it was renewed, milliseconds, if ours was far off. */
          skewMs: z.int().optional(),
          /** The programs that use it: they were told. */
          told: z.array(z.string().max(32)).max(16).optional(),
        })
        .optional(),
    })
    .optional(),
});
export type EnrollmentRecord = z.infer<typeof schema>;

/** The record's file. Every save is atomic: there is never half a record. */
export class RecordFile {
  readonly #file: string;

  /** @param stateDir created, private to root, when the first record is saved */
  constructor(stateDir: string) {
    this.#file = path.join(stateDir, 'enrollment.json');
  }

  /** @returns undefined when this laptop is not enrolled @throws KiwiError `state-damaged` */
  async load(): Promise<EnrollmentRecord | undefined> {
    try {
      const text = await readCappedFile(this.#file, { maxBytes: MAX_BYTES, private: true });
      return parseMessage(schema, text, MAX_BYTES, 'state-damaged');
    } catch (error) {
      if (isMissing(error)) return undefined;
      if (systemErrorCode(error) === 'EACCES') throw new KiwiError('not-root');
      throw error;
    }
  }

  /**
   * Recovers from an unreadable record what is needed to remove the enrollment. The slug decides which files are removed, so
   * it is accepted only in its exact form.
   */
  async salvage(): Promise<EnrollmentRecord | undefined> {
    const text = await readFile(this.#file, 'utf8').catch(() => '');
    const named = (name: string): string => new RegExp(`"${name}":\\s*"([^"]*)"`).exec(text)?.[1] ?? '';
    const slug = slugSchema.safeParse(named('slug'));
    if (!slug.success) return undefined;
    // With these two the device can still be deregistered, if its key is there.
    const [deviceId, gatewayUrl] = [uuid.safeParse(named('deviceId')), gatewayUrlSchema.safeParse(named('gatewayUrl'))];
    const known = deviceId.success && gatewayUrl.success;
    return rebuiltRecord(
      slug.data,
      known ? { deviceId: deviceId.data, gatewayUrl: gatewayUrl.data, customer: slug.data } : undefined,
    );
  }

  async save(record: EnrollmentRecord): Promise<void> {
    await mkdir(path.dirname(this.#file), { recursive: true, mode: 0o700 });
    await writeDurableFile(this.#file, `${JSON.stringify(record, null, 1)}\n`, 0o600);
  }

  async remove(): Promise<void> {
    await removeDurableFile(this.#file);
  }
}

/** What stands in for a lost record: enough to deregister, if the device is known, and to remove the enrollment. */
export function rebuiltRecord(
  slug: string,
  device: { readonly deviceId: string; readonly gatewayUrl: string; readonly customer: string } | undefined,
): EnrollmentRecord {
  const unknown = new Date(0).toISOString();
  return {
    ...{ version: 1, state: 'enrolling', attemptId: randomUUID(), startedAt: unknown, yubikeySerial: 0, role: '' },
    ...{ slug, customer: device?.customer ?? slug, gatewayUrl: device?.gatewayUrl ?? '' },
    ...(device === undefined
      ? {}
      : {
          device: {
            ...{ deviceId: device.deviceId, confirmed: true, enrolledAt: unknown },
            ...{ hostName: '', address: '', probe: '', fleetUrl: '' },
          },
        }),
  };
}
