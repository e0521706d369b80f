import { describe, expect, it } from 'vitest';

import { renderKrb5, withInclude, withoutInclude } from '../../../../src/laptop/sign-in/render-krb5.ts';
import { readSssd, renderSssd } from '../../../../src/laptop/sign-in/render-sssd.ts';
import { DIRECTORY } from './directory.ts';

const PLACES = {
  keytab: '/etc/sssd/kiwistack.keytab',
  roots: '/etc/sssd/kiwistack-roots.pem',
  switchedOn: ['pam sss'],
};
const CERTIFICATE = { certificate: '/etc/step/certs/acme.crt', key: '/etc/step/certs/acme.key' };
const lines = (text: string): string[] => text.split('\n');

describe('the settings of SSSD', () => {
  it('bind with the device certificate by SASL EXTERNAL, and believe no KDC that the keytab does not prove', () => {
    const text = renderSssd({ slug: 'acme', directory: DIRECTORY, certificate: CERTIFICATE }, PLACES);
    expect(lines(text)).toEqual(
      expect.arrayContaining([
        ...[
          'ldap_sasl_mech = EXTERNAL',
          'ldap_tls_cert = /etc/step/certs/acme.crt',
          'ldap_tls_key = /etc/step/certs/acme.key',
        ],
        ...['ldap_uri = ldaps://dc.corp.example', 'ldap_tls_reqcert = demand', 'krb5_validate = true'],
        ...['krb5_server = dc.corp.example, 10.77.1.21:8088', 'offline_credentials_expiration = 14'],
        // Nobody of the directory is somebody of this laptop, or in its group sudo.
        'min_id = 2000',
      ]),
    );
    expect(text).not.toContain('GSSAPI');
  });

  it('bind with the keytab where there is no certificate to bind with', () => {
    const text = renderSssd({ slug: 'acme', directory: DIRECTORY }, PLACES);
    expect(lines(text)).toEqual(
      expect.arrayContaining([
        'ldap_sasl_mech = GSSAPI',
        'ldap_sasl_authid = host/8c2e4cb5-6a1c-4b43-9a5e-07c3a4a1c001.laptops.corp.example',
      ]),
    );
    expect(text).not.toContain('ldap_tls_cert =');
  });

  it('hold no secret, and say by themselves what an undo needs', () => {
    const text = renderSssd({ slug: 'acme', directory: DIRECTORY, certificate: CERTIFICATE }, PLACES);
    expect(text).not.toContain(DIRECTORY.kerberos.keytab);
    const { revision } = DIRECTORY;
    expect(readSssd(text)).toEqual({ revision, switchedOn: ['pam sss'], certificate: CERTIFICATE.certificate });
    expect(readSssd('[sssd]\ndomains = corp\n')).toBeUndefined();
  });
});

describe('the settings of Kerberos', () => {
  it('name the realm, its KDCs and its hosts, and take names as they are', () => {
    expect(lines(renderKrb5(DIRECTORY))).toEqual(
      expect.arrayContaining([
        ' default_realm = CORP.EXAMPLE',
        '  kdc = 10.77.1.21:8088',
        ' .corp.example = CORP.EXAMPLE',
        ' rdns = false',
      ]),
    );
  });

  it.each([
    ['no file', ''],
    ["Debian's", '[libdefaults]\n\tdefault_realm = ATHENA.MIT.EDU\n'],
  ])('are included by krb5.conf, once, and taken out without a trace: %s', (_name, before) => {
    const edited = withInclude(before, '/etc/krb5.conf.d');
    expect(lines(edited)[1]).toBe('includedir /etc/krb5.conf.d');
    expect(withInclude(edited, '/etc/krb5.conf.d')).toBe(edited);
    expect(withoutInclude(edited)).toBe(before);
    expect(withoutInclude(before)).toBe(before);
  });

  it('leave a krb5.conf alone that includes the folder already', () => {
    const others = 'includedir /etc/krb5.conf.d\n[libdefaults]\n';
    expect(withInclude(others, '/etc/krb5.conf.d')).toBe(others);
    expect(withoutInclude(others)).toBe(others);
  });
});
