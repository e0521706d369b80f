import { z } from 'zod';

import { text } from '../../protocol/common.ts';
import { domain, httpsUrl } from '../../protocol/grant.ts';
import { distinguishedName, kdcPlace, kerberosRealm, ldapsUri } from '../../protocol/sign-in-directory.ts';

/** Who makes the accounts of laptops. */
const accounts = z.discriminatedUnion('by', [
  /** The entry by LDAP, the principal by Heimdal's kadmind: its key for `principal` is in directory-admin.keytab. */
  z.strictObject({
    by: z.literal('kadmin'),
    program: z
      .string()
      .max(300)
      .regex(/^\/[!-~]+$/u)
      .default('/usr/bin/kadmin.heimdal'),
    principal: z.string().regex(/^[A-Za-z0-9./_-]{1,200}@[A-Z0-9.-]{1,253}$/u),
    server: kdcPlace,
  }),
  /** Univention's Directory Manager; the password of `user` is in directory-secret. */
  z.strictObject({ by: z.literal('udm'), url: httpsUrl, user: text(100), position: distinguishedName }),
]);

/** How people sign in to laptops, by the directory: part of slice.json. Places are as a laptop reaches them, through the tunnel. */
export const signInSetting = z.strictObject({
  uris: z.array(ldapsUri).min(1).max(4),
  /** Below it are people and groups. */
  base: distinguishedName,
  /** How groups name their members: `memberUid`, or by DN. */
  schema: z.enum(['rfc2307', 'rfc2307bis']).default('rfc2307'),
  /** With the device certificate, where the directory maps it to an entry, or with the keytab. */
  binding: z.enum(['external', 'gssapi']).default('external'),
  realm: kerberosRealm,
  kdcs: z.array(kdcPlace).min(1).max(4),
  /** The principals of laptops are `host/ID.HOSTS@REALM`: better a domain that nothing else has. */
  hosts: domain,
  /** Domains whose hosts belong to the realm, for programs that use a ticket. */
  domains: z.array(domain).min(1).max(8).optional(),
  /** For how many days people sign in without the directory being asked. */
  offlineDays: z.int().min(1).max(365).default(14),
  accounts,
});
