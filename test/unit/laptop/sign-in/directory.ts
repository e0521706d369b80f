import type { SignInDirectory } from '../../../../src/protocol/sign-in-directory.ts';
import * as V from '../../../vectors/vector.ts';

const root = V.vector('certificates', V.CERTIFICATES).certificates['mspRoot']?.pem ?? '';

/** What a slice says about signing in. */
export const DIRECTORY: SignInDirectory = {
  revision: Buffer.alloc(32, 1).toString('base64url'),
  ldap: {
    ...{ uris: ['ldaps://dc.corp.example'], base: 'dc=corp,dc=example', roots: root },
    ...{ schema: 'rfc2307', binding: 'external' },
  },
  kerberos: {
    ...{ realm: 'CORP.EXAMPLE', kdcs: ['dc.corp.example', '10.77.1.21:8088'], domains: ['corp.example'] },
    principal: 'host/8c2e4cb5-6a1c-4b43-9a5e-07c3a4a1c001.laptops.corp.example@CORP.EXAMPLE',
    keytab: Buffer.from('0502 a keytab').toString('base64url'),
  },
  offlineDays: 14,
};
