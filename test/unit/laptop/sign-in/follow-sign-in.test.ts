import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { askForSignIn, followSignIn } from '../../../../src/laptop/sign-in/follow-sign-in.ts';
import { settleSignIn } from '../../../../src/laptop/standing/settle-sign-in.ts';
import { KiwiError } from '../../../../src/core/errors.ts';
import { examine } from '../../../../src/laptop/doctor/examine.ts';
import { RecordFile } from '../../../../src/laptop/state/record.ts';
import { fileDeviceKey } from '../../../../src/laptop/system/device-key.ts';
import type { SignInSettings } from '../../../../src/laptop/system/sign-in.ts';
import { check } from '../../../../src/laptop/upkeep/check.ts';
import { encryptTo } from '../../../../src/pki/jwe.ts';
import { openCompact } from '../../../../src/pki/jws.ts';
import { generateP256, publicJwk } from '../../../../src/pki/keys.ts';
import { TYP } from '../../../../src/protocol/common.ts';
import type { StatusRequest } from '../../../../src/protocol/device-messages.ts';
import {
  SIGN_IN_DIRECTORY,
  signInQuestionIn,
  type SignInDirectory,
} from '../../../../src/protocol/sign-in-directory.ts';
import { enrolledLaptop, type EnrolledLaptop } from '../enrolled-laptop.ts';
import { answerSigned } from '../gateway-client/signed-answers.ts';
import { DIRECTORY } from './directory.ts';

let laptop: EnrolledLaptop;
beforeEach(async () => {
  laptop = await enrolledLaptop();
});
afterEach(() => laptop.end());

const extensions = (value: unknown) => ({ [SIGN_IN_DIRECTORY]: { critical: false, value } }) as never;
const own = () => laptop.key ?? generateP256();
const sealed = async (content: object, key = own(), typ: string = TYP.signInEncrypted): Promise<string> =>
  encryptTo(publicJwk(key), JSON.stringify(content), typ);
const given = async (content: object = DIRECTORY) => ({
  extensions: extensions({ state: 'given', sealed: await sealed(content) }),
});
const says = async (value: unknown): Promise<void> => {
  laptop.gateway.answer(answerSigned(laptop.slice, { content: { extensions: extensions(await value) } }));
};
/** What the laptop asked last. */
const asked = () => {
  const body = laptop.gateway.seen.at(-1)?.body.toString() ?? '';
  return signInQuestionIn(JSON.parse(openCompact(body, TYP.status).payload.toString()) as StatusRequest);
};

describe('what the slice says about signing in', () => {
  const follow = (answer: object, kind: 'file' | 'tpm' = 'file') => {
    const deviceKey = { ...fileDeviceKey(own(), 'device.key'), kind };
    return followSignIn(laptop.context.platform, answer as never, { slug: 'acme', deviceKey });
  };
  let settings: SignInSettings | undefined;
  beforeEach(() => {
    const { signIn } = laptop.context.platform;
    const setUp = signIn.setUp.bind(signIn);
    Object.assign(signIn, { setUp: (of: SignInSettings) => ((settings = of), setUp(of)) });
    settings = undefined;
  });

  it('is set up with the device certificate, or with the keytab where the key is in a TPM or the directory wants it', async () => {
    expect(await follow(await given())).toBe('set-up');
    expect(settings).toEqual({
      ...{ slug: 'acme', directory: DIRECTORY },
      certificate: { certificate: 'acme.crt', key: 'acme.key' },
    });
    await follow(await given(), 'tpm');
    expect(settings).toEqual({ slug: 'acme', directory: DIRECTORY });
    await follow(await given({ ...DIRECTORY, ldap: { ...DIRECTORY.ldap, binding: 'gssapi' } }));
    expect(settings?.certificate).toBeUndefined();
  });

  it.each([
    ['unsaid', {}],
    ['held', { extensions: extensions({ state: 'held' }) }],
    ['unavailable', { extensions: extensions({ state: 'unavailable' }) }],
    ['unsaid', { extensions: extensions({ state: 'of a later version' }) }],
  ])('leaves everything as it is: %s', async (outcome, answer) => {
    await follow(await given());
    const before = laptop.signIn;
    expect(await follow(answer)).toBe(outcome);
    expect(laptop.signIn).toEqual(before);
  });

  it('is taken away where the customer has none any more', async () => {
    await follow(await given());
    expect(await follow({ extensions: extensions({ state: 'none' }) })).toBe('none');
    expect(laptop.signIn).toBeUndefined();
  });

  const malformed: readonly (readonly [string, () => Promise<string>])[] = [
    ['for another device', () => sealed(DIRECTORY, generateP256())],
    ['of another kind', () => sealed(DIRECTORY, own(), TYP.grantEncrypted)],
    ['with roots that are none', () => sealed({ ...DIRECTORY, ldap: { ...DIRECTORY.ldap, roots: 'rubbish' } })],
    ['with a member that nobody knows', () => sealed({ ...DIRECTORY, colour: 'blue' })],
  ];
  it.each(malformed)('is refused %s, and nothing is set up', async (_name, make) => {
    const answer = { extensions: extensions({ state: 'given', sealed: await make() }) };
    await expect(follow(answer)).rejects.toMatchObject({ code: 'sign-in-failed' });
    expect(settings).toBeUndefined();
  });
});

describe('a laptop', () => {
  const agrees = () => new RecordFile(laptop.stateFolder).save({ ...laptop.record, signIn: true });
  const next = (change: Partial<SignInDirectory>) => sealed({ ...DIRECTORY, ...change });

  it('asks for nothing where nobody has agreed to it', async () => {
    await says({ state: 'given', sealed: await next({}) });
    await check(laptop.context, () => undefined);
    expect(asked()).toBeUndefined();
    expect(laptop.signIn).toBeUndefined();
  });

  it('asks with each check, and follows what has changed', async () => {
    await agrees();
    await says({ state: 'unavailable' });
    await check(laptop.context, () => undefined);
    expect(asked()).toEqual({ held: null });
    expect(laptop.signIn).toBeUndefined();
    await says({ state: 'given', sealed: await next({}) });
    await check(laptop.context, () => undefined);
    expect(laptop.signIn?.revision).toBe(DIRECTORY.revision);
    await says({ state: 'held' });
    await check(laptop.context, () => undefined);
    expect(asked()).toEqual({ held: DIRECTORY.revision });
  });

  it('asks for all of it again when something of it is missing', async () => {
    await agrees();
    const { platform } = laptop.context;
    laptop.signIn = {
      revision: DIRECTORY.revision,
      lacks: ['a file'],
      running: true,
      backendSince: 0,
      certificate: undefined,
    };
    expect(await askForSignIn(platform)).toEqual(extensions({ held: null }));
    laptop.signIn = { ...laptop.signIn, lacks: [] };
    expect(await askForSignIn(platform)).toEqual(extensions({ held: DIRECTORY.revision }));
    await says({ state: 'given', sealed: await next({}) });
    await settleSignIn(laptop.context, { ...laptop.record, signIn: true }, 'again');
    expect(asked()).toEqual({ held: null });
  });

  it('goes on with its check when signing in cannot be set up, and its doctor says why', async () => {
    await agrees();
    Object.assign(laptop.context.platform.signIn, { setUp: () => Promise.reject(new KiwiError('tool-missing')) });
    await says({ state: 'given', sealed: await next({}) });
    expect(await check(laptop.context, () => undefined)).toMatchObject({ enrollment: { slice: { state: 'active' } } });
    const found = async () =>
      (await examine(laptop.context, ['sign-in'])).outcomes.find(({ code }) => code === 'sign-in');
    expect(await found()).toMatchObject({ state: 'not-well', error: { code: 'tool-missing' }, fix: 'set-up-sign-in' });
    await says({ state: 'none' });
    await check(laptop.context, () => undefined);
    expect(await found()).toMatchObject({ state: 'well' });
  });
});
