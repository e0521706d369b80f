import { z } from 'zod';

import { base64urlUpTo, digestText, ipv4 } from './common.ts';
import type { DeviceStatus, StatusRequest } from './device-messages.ts';
import { domain } from './grant.ts';

/**
 * The name of the extension, never critical: in `status`, where a laptop asks for it, and in the answer. It is no part of the grant: a
 * directory that is away must not stop an enrollment, and what it says may change; one way for the first time and for every later one.
 */
export const SIGN_IN_DIRECTORY = 'sign-in.directory';

/** As the lines of sssd.conf and krb5.conf: nothing in it may end a line or begin a section. */
const line = (max: number) =>
  z
    .string()
    .max(max)
    .regex(/^[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]+$/u);

const withoutPort = (place: string): string => place.replace(/:\d{1,5}$/u, '');
const isHost = (name: string): boolean => domain.safeParse(name).success || ipv4.safeParse(name).success;

/** A name or an IPv4 address, with a port where it is not the usual one. */
export const kdcPlace = z
  .string()
  .max(260)
  .regex(/^[a-z0-9.-]+(?::[1-9]\d{0,4})?$/u)
  .refine((place) => isHost(withoutPort(place)), 'a name or an IPv4 address');

/** TLS from the first byte: `ldap:` with StartTLS would begin in the clear. */
export const ldapsUri = z
  .string()
  .max(300)
  .regex(/^ldaps:\/\/[a-z0-9.-]+(?::[1-9]\d{0,4})?$/u)
  .refine((uri) => isHost(withoutPort(uri.slice('ldaps://'.length))), 'a name or an IPv4 address');

export const kerberosRealm = z.string().regex(/^[A-Z0-9](?:[A-Z0-9.-]{0,251}[A-Z0-9])?$/u);

/** RFC 4514; it begins with an attribute. */
export const distinguishedName = line(500).regex(/^[A-Za-z][A-Za-z0-9-]*=\S.*$/u);

/** Everything that SSSD needs, and nothing else: docs/protocol.md has the reason for each. */
export const signInDirectory = z.strictObject({
  revision: digestText,
  ldap: z.strictObject({
    uris: z.array(ldapsUri).min(1).max(4),
    base: distinguishedName,
    /** PEM. */
    roots: z.string().min(1).max(2560),
    schema: z.enum(['rfc2307', 'rfc2307bis']),
    binding: z.enum(['external', 'gssapi']),
  }),
  kerberos: z.strictObject({
    realm: kerberosRealm,
    kdcs: z.array(kdcPlace).min(1).max(4),
    /** DNS domains whose hosts belong to the realm. */
    domains: z.array(domain).min(1).max(8),
    principal: z.string().regex(/^host\/[a-z0-9.-]{1,253}@[A-Z0-9.-]{1,253}$/u),
    /** A keytab of MIT's format, version 2: the key of `principal`. */
    keytab: base64urlUpTo(1024),
  }),
  /** SSSD takes 0 for ever. */
  offlineDays: z.int().min(1).max(365),
});
export type SignInDirectory = z.infer<typeof signInDirectory>;

/** What the laptop has: the revision that it was given last. */
const question = z.strictObject({ held: digestText.nullable() });

const answer = z.discriminatedUnion('state', [
  /** The customer has no sign-in for laptops, or has none any more. */
  z.strictObject({ state: z.literal('none') }),
  /** What the laptop has is still so. */
  z.strictObject({ state: z.literal('held') }),
  /** The directory does not do what it is asked now: the laptop keeps what it has, and asks again. */
  z.strictObject({ state: z.literal('unavailable') }),
  /** A `signInDirectory`, compact JWE to the device key: an answer about a device is signed, and no secret otherwise. */
  z.strictObject({ state: z.literal('given'), sealed: z.string().max(6000) }),
]);
export type SignInAnswer = z.infer<typeof answer>;

/** Undefined where the laptop does not ask. */
export function signInQuestionIn(request: Pick<StatusRequest, 'extensions'>): z.infer<typeof question> | undefined {
  return question.safeParse(request.extensions?.[SIGN_IN_DIRECTORY]?.value).data;
}

/** Undefined where the slice does not say it, or in a form of a later version. */
export function signInAnswerIn(status: Pick<DeviceStatus, 'extensions'>): SignInAnswer | undefined {
  return answer.safeParse(status.extensions?.[SIGN_IN_DIRECTORY]?.value).data;
}
