export interface Krb5Realm {
  readonly realm: string;
  readonly kdcs: readonly string[];
  /** kadmind, for who changes something there. */
  readonly adminServer?: string;
  /** DNS domains whose hosts belong to the realm. */
  readonly domains: readonly string[];
}

/**
 * The lines of krb5.conf(5) for one realm, as MIT's and Heimdal's libraries read them. Names are taken as they are: a reverse lookup would lead to
 * another principal. The KDCs of a realm that is named here are not looked up; those of others may be.
 */
export function krb5Conf({ realm, kdcs, adminServer, domains }: Krb5Realm): string {
  return `${[
    '[libdefaults]',
    ` default_realm = ${realm}`,
    ' dns_lookup_realm = false',
    ' dns_canonicalize_hostname = false',
    ' rdns = false',
    '[realms]',
    ` ${realm} = {`,
    ...kdcs.map((kdc) => `  kdc = ${kdc}`),
    ...(adminServer === undefined ? [] : [`  admin_server = ${adminServer}`]),
    ' }',
    '[domain_realm]',
    ...domains.flatMap((domain) => [` .${domain} = ${realm}`, ` ${domain} = ${realm}`]),
  ].join('\n')}\n`;
}
