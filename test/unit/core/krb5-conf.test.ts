import { expect, it } from 'vitest';

import { krb5Conf } from '../../../src/core/krb5-conf.ts';

it('names a realm, its KDCs and its hosts, and kadmind for who changes something there', () => {
  const realm = { realm: 'CORP.EXAMPLE', kdcs: ['dc.corp.example', '10.77.1.21:8088'], domains: ['corp.example'] };
  const text = krb5Conf(realm);
  expect(text).toBe(`[libdefaults]
 default_realm = CORP.EXAMPLE
 dns_lookup_realm = false
 dns_canonicalize_hostname = false
 rdns = false
[realms]
 CORP.EXAMPLE = {
  kdc = dc.corp.example
  kdc = 10.77.1.21:8088
 }
[domain_realm]
 .corp.example = CORP.EXAMPLE
 corp.example = CORP.EXAMPLE
`);
  expect(
    krb5Conf({ ...realm, adminServer: 'dc.corp.example:749' }).replace('  admin_server = dc.corp.example:749\n', ''),
  ).toBe(text);
});
