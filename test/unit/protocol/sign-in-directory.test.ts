import { describe, expect, it } from 'vitest';

import { LIMITS } from '../../../src/protocol/common.ts';
import {
  SIGN_IN_DIRECTORY,
  signInAnswerIn,
  signInDirectory,
  signInQuestionIn,
} from '../../../src/protocol/sign-in-directory.ts';
import { DIRECTORY } from '../laptop/sign-in/directory.ts';

const accepts = (change: object): boolean => signInDirectory.safeParse({ ...DIRECTORY, ...change }).success;
const ldap = (change: object): boolean => accepts({ ldap: { ...DIRECTORY.ldap, ...change } });
const kerberos = (change: object): boolean => accepts({ kerberos: { ...DIRECTORY.kerberos, ...change } });

describe('what a slice says about signing in', () => {
  it('is accepted as it is made', () => {
    expect(accepts({})).toBe(true);
    expect(JSON.stringify(DIRECTORY).length).toBeLessThan(LIMITS.signIn);
  });

  it.each([
    ['a directory without TLS', () => ldap({ uris: ['ldap://dc.corp.example'] })],
    ['no directory', () => ldap({ uris: [] })],
    ['a path in the URI', () => ldap({ uris: ['ldaps://dc.corp.example/dc=corp'] })],
    [
      'a line break in the base, which would begin another setting',
      () => ldap({ base: 'dc=corp\nldap_tls_reqcert = never' }),
    ],
    ['a base that is no DN', () => ldap({ base: '[domain/other]' })],
    ['a realm in small letters', () => kerberos({ realm: 'corp.example' })],
    ['a KDC with a space, which would be two', () => kerberos({ kdcs: ['dc.corp.example evil.example'] })],
    ['a brace in a KDC', () => kerberos({ kdcs: ['}'] })],
    ['the principal of a person', () => kerberos({ principal: 'ada@CORP.EXAMPLE' })],
    ['a keytab that is none by its size', () => kerberos({ keytab: Buffer.alloc(1025).toString('base64url') })],
    ['passwords that are kept for ever', () => accepts({ offlineDays: 0 })],
    ['a member that nobody knows', () => accepts({ colour: 'blue' })],
  ])('is refused with %s', (_name, accepted) => {
    expect(accepted()).toBe(false);
  });

  it('is asked for by what the laptop holds', () => {
    const ask = (value: object) => ({ extensions: { [SIGN_IN_DIRECTORY]: { critical: false, value } } }) as never;
    expect(signInQuestionIn({})).toBeUndefined();
    expect(signInQuestionIn(ask({ held: null }))).toEqual({ held: null });
    expect(signInQuestionIn(ask({ held: 'rubbish' }))).toBeUndefined();
    expect(signInAnswerIn(ask({ state: 'held' }))).toEqual({ state: 'held' });
    expect(signInAnswerIn(ask({ state: 'given' }))).toBeUndefined();
  });
});
