import { MARKER } from '../system/found.ts';
import type { SignInSettings } from '../system/sign-in.ts';

/** Where the other files are, and what an undo has to take back. */
export interface SssdPlaces {
  readonly keytab: string;
  readonly roots: string;
  /** What was switched on for it, in words of `undoneWith`. */
  readonly switchedOn: readonly string[];
}

/**
 * Ids below belong to this laptop: an account or a group of the directory with such a one would be a person here, or in a group like sudo, which counts by
 * its number.
 */
const MIN_ID = 2000;

const REVISION = '# revision: ';
const SWITCHED_ON = '# switched on: ';

/** SSSD names its caches after it. */
export const sssdDomain = (slug: string): string => `kiwistack-${slug}`;

/**
 * sssd.conf(5). LDAP says who people are, Kerberos whether they are. `krb5_validate`: without it, whoever answers as the KDC signs anybody in;
 * it needs the keytab. With `ldap_sasl_mech = EXTERNAL`, the certificate of TLS is the binding; without a mechanism, SSSD binds anonymously in
 * spite of the certificate. The time limits let an offline laptop decide in seconds.
 */
export function renderSssd({ slug, directory, certificate }: SignInSettings, places: SssdPlaces): string {
  const { ldap, kerberos, offlineDays, revision } = directory;
  const name = sssdDomain(slug);
  const binding =
    certificate === undefined
      ? [
          'ldap_sasl_mech = GSSAPI',
          `ldap_sasl_authid = ${kerberos.principal.replace(/@.*$/u, '')}`,
          `ldap_sasl_realm = ${kerberos.realm}`,
          `ldap_krb5_keytab = ${places.keytab}`,
        ]
      : [
          'ldap_sasl_mech = EXTERNAL',
          `ldap_tls_cert = ${certificate.certificate}`,
          `ldap_tls_key = ${certificate.key}`,
        ];
  return `${[
    `${MARKER}; it is replaced when the organisation changes it, and goes with the enrollment.`,
    `${REVISION}${revision}`,
    `${SWITCHED_ON}${places.switchedOn.join(', ')}`,
    '[sssd]',
    'services = nss, pam',
    `domains = ${name}`,
    '[nss]',
    '[pam]',
    `offline_credentials_expiration = ${offlineDays}`,
    `[domain/${name}]`,
    'id_provider = ldap',
    'auth_provider = krb5',
    'chpass_provider = krb5',
    'access_provider = permit',
    `ldap_uri = ${ldap.uris.join(', ')}`,
    `ldap_search_base = ${ldap.base}`,
    `ldap_schema = ${ldap.schema}`,
    `ldap_tls_cacert = ${places.roots}`,
    'ldap_tls_reqcert = demand',
    ...binding,
    `krb5_realm = ${kerberos.realm}`,
    `krb5_server = ${kerberos.kdcs.join(', ')}`,
    `krb5_keytab = ${places.keytab}`,
    'krb5_validate = true',
    'krb5_ccname_template = FILE:/tmp/krb5cc_%U',
    'krb5_store_password_if_offline = true',
    'krb5_renewable_lifetime = 7d',
    'krb5_renew_interval = 1h',
    'cache_credentials = true',
    'enumerate = false',
    `min_id = ${MIN_ID}`,
    'dns_resolver_timeout = 2',
    'ldap_opt_timeout = 3',
    'ldap_network_timeout = 3',
  ].join('\n')}\n`;
}

/** What a file of ours says about itself. Undefined for a file of others. */
export function readSssd(
  text: string,
): { readonly revision: string; readonly switchedOn: readonly string[]; readonly certificate?: string } | undefined {
  if (!text.startsWith(MARKER)) return undefined;
  const after = (start: string): string =>
    text
      .split('\n')
      .find((line) => line.startsWith(start))
      ?.slice(start.length) ?? '';
  const certificate = after('ldap_tls_cert = ');
  return {
    revision: after(REVISION),
    switchedOn: after(SWITCHED_ON)
      .split(', ')
      .filter((word) => word !== ''),
    ...(certificate === '' ? {} : { certificate }),
  };
}
