import { z } from 'zod';

import { isMissing, writeDurableFile } from '../../core/durable-file.ts';
import { KiwiError } from '../../core/errors.ts';
import { parseStrictJson } from '../../core/strict-json.ts';
import { policy } from '../../protocol/challenge.ts';
import { customerLinks } from '../../protocol/customer-links.ts';
import {
  base64urlOf,
  digestText,
  ipv4,
  ipv4Cidr,
  p256Jwk,
  slug,
  text,
  version,
  wireguardKey,
} from '../../protocol/common.ts';
import { escrowRecipient } from '../../protocol/disk-escrow.ts';
import { domain, wireguardEndpoint } from '../../protocol/grant.ts';
import { twoPersonSetting } from '../../protocol/operator-records.ts';
import { signInSetting } from './sign-in-setting.ts';
import { describeIssues } from './describe-issues.ts';
import { readSliceFile } from './read-slice-file.ts';
import { slicePaths } from './slice-paths.ts';

/** A name, not an OID (RFC 4512, 1.4). */
const ldapAttribute = z.string().regex(/^[A-Za-z][A-Za-z0-9-]{0,63}$/);
const port = z.int().min(1).max(65_535);

/** slice.json: what `init` decided, and settings that may be edited while the slice is down. */
export const sliceConfig = z.strictObject({
  version: z.literal(1),
  customer: z.strictObject({ slug, name: text(100) }),
  /** Where people go with an enrolled laptop: shown in its window, in this order. */
  links: customerLinks.default([]),
  /** One salt per customer, so that a laptop cannot be tracked across customers. */
  fingerprintSalt: base64urlOf(32),
  gateway: z.strictObject({
    /** The URL in the certificates on the YubiKeys and in package links. */
    url: z.url({ protocol: /^https$/ }).max(500),
    listen: z.strictObject({ host: z.string().min(1).max(253), port }),
  }),
  inside: z.strictObject({
    /** The slice's own address in the tunnel network: step-ca listens there and nowhere else. */
    address: ipv4,
    /** The network that laptops get their addresses from. */
    network: ipv4Cidr,
    /** The networks that a laptop reaches through the tunnel; never a default route. */
    cidrs: z.array(ipv4Cidr).min(1).max(32),
    dns: z.strictObject({ servers: z.array(ipv4).max(4), domains: z.array(domain).max(16) }),
  }),
  wireguard: z.strictObject({
    interface: z.string().regex(/^[a-z][a-z0-9-]{0,14}$/),
    port,
    publicKey: wireguardKey,
    endpoints: z.array(wireguardEndpoint).min(1).max(4),
    keepaliveSeconds: z.int().min(5).max(120),
  }),
  ca: z.strictObject({ port, crlPort: port, gatewayKid: digestText, yubikeyKid: digestText }),
  /** Who may consent to re-enrollments. The private keys belong to the operators; the gateway never has them. */
  operators: z
    .array(z.strictObject({ name: text(100), key: p256Jwk }))
    .max(32)
    .default([]),
  /** Where operators reach the slice from their own machines: at the inside address. */
  operatorApi: z.strictObject({ port }).default({ port: 9444 }),
  /**
   * When what is critical needs the signatures of two operators: as soon as two of them are admins, always, never. Ending more than
   * `manyDevices` laptops at once is critical.
   */
  twoPersons: twoPersonSetting.default({ when: 'two-admins', manyDevices: 10 }),
  policy,
  /**
   * The firmware that YubiKeys should have, and whether older ones are refused. Before 5.7.0, whoever opens a YubiKey
   * can extract its EC keys (EUCLEAK, Yubico's advisory YSA-2024-03).
   */
  firmware: z
    .strictObject({ minimum: version, older: z.enum(['warn', 'refuse']) })
    .default({ minimum: '5.7.0', older: 'warn' }),
  /**
   * Device keys in a TPM: not asked for; made there where a laptop can prove it; or no other laptop is enrolled. Whose TPMs are
   * trusted stands in tpm-makers.pem.
   */
  deviceKey: z.strictObject({ tpm: z.enum(['off', 'prefer', 'require']) }).default({ tpm: 'off' }),
  /**
   * Laptops that an OEM delivers with a token: whether one that proves no TPM of its token is let in, or waits for an operator, and for
   * how long.
   */
  claims: z
    .strictObject({ withoutTpm: z.enum(['accept', 'approve']), approvalHours: z.int().min(1).max(720) })
    .default({ withoutTpm: 'approve', approvalHours: 168 }),
  /**
   * After the intermediate was replaced: whether laptops that are enrolled move to the new one by themselves, and for how
   * long, or have to be enrolled again with a touch.
   */
  rekey: z
    .strictObject({ by: z.enum(['itself', 'touch']), hours: z.number().min(0).max(8760) })
    .default({ by: 'itself', hours: 168 }),
  /**
   * The customer's directory, in which the entry of a lost laptop is disabled. The secret of `bindDn` is in directory-secret, the CA in
   * directory-ca.pem.
   */
  directory: z
    .strictObject({
      url: z.url({ protocol: /^ldaps$/ }).max(500),
      bindDn: text(500),
      base: text(500),
      /** The attribute that has a laptop's host name. */
      nameAttribute: ldapAttribute.default('cn'),
      /** How an entry is disabled. Without the attribute it is enabled. */
      disabled: z
        .strictObject({ attribute: ldapAttribute, value: text(200) })
        .default({ attribute: 'pwdAccountLockedTime', value: '000001010000Z' }),
      /** How people sign in to laptops whose owner wants that; absent: not at all. */
      signIn: signInSetting.optional(),
    })
    .optional(),
  /**
   * To whom laptops encrypt the recovery key of their disk: keys of the customer's, whose private halves are in YubiKeys. `oem`: only
   * disks that were encrypted for the customer. `all`: also people's own, where the person agrees.
   */
  recoveryKey: z
    .strictObject({
      recipients: z
        .array(z.strictObject({ name: text(100), key: escrowRecipient }))
        .min(1)
        .max(4),
      laptops: z.enum(['oem', 'all']).default('oem'),
    })
    .optional(),
  windows: z.strictObject({
    sessionSeconds: z.int().min(10).max(3600),
    /** A device that does not confirm within this time is ended. */
    confirmSeconds: z.int().min(1).max(86_400),
    /** For how many days after the end of its certificate a laptop that was offline may still renew it. */
    offlineDays: z.number().min(0).max(365).default(7),
    /** For how many days a lost laptop still reaches Fleet, and nothing else, to be locked or wiped. */
    wipeDays: z.number().min(0).max(365).default(30),
  }),
  quota: z.strictObject({ devices: z.int().min(0).max(1_000_000) }),
  /** Token bucket per client address. A whole office may share one address. */
  rateLimit: z.strictObject({ burst: z.int().min(1).max(1_000_000), perSecond: z.number().min(0.01).max(1_000_000) }),
});
export type SliceConfig = z.infer<typeof sliceConfig>;

/** @throws KiwiError `slice-missing`, or `slice-damaged` when slice.json does not match its schema */
export async function readSliceConfig(dir: string): Promise<SliceConfig> {
  const file = slicePaths(dir).config;
  let bytes: Buffer;
  try {
    bytes = await readSliceFile(file, { private: true });
  } catch (error) {
    if (isMissing(error)) throw new KiwiError('slice-missing', { detail: dir, cause: error });
    throw error;
  }
  return parseConfigFile(sliceConfig, bytes, file);
}

export async function writeSliceConfig(dir: string, config: SliceConfig): Promise<void> {
  await writeDurableFile(slicePaths(dir).config, `${JSON.stringify(sliceConfig.parse(config), null, 2)}\n`, 0o600);
}

/**
 * Parses the bytes of a configuration file.
 * @throws KiwiError with the given code, naming the file and the fields, never their values
 */
export function parseConfigFile<S extends z.ZodType>(
  schema: S,
  bytes: Uint8Array,
  file: string,
  code: 'slice-damaged' | 'file-unusable' = 'slice-damaged',
): z.infer<S> {
  let value: unknown;
  try {
    value = parseStrictJson(bytes, 1 << 20);
  } catch (error) {
    const why = error instanceof SyntaxError ? error.message : 'not JSON';
    throw new KiwiError(code, { detail: `${file}: ${why}`, cause: error });
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new KiwiError(code, { detail: `${file}: ${describeIssues(parsed.error)}` });
}
