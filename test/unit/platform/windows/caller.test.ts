import { describe, expect, it } from 'vitest';

import { byToken } from '../../../../platform/windows/authority.ts';
import { readCaller } from '../../../../platform/windows/caller.ts';
import type { Permission } from '../../../../src/laptop/system/authority.ts';

const told = {
  ...{ pid: 4711, started: '133770000000000000', sid: 'S-1-5-21-1-2-3-1001', session: 1 },
  ...{ active: true, system: false, administrator: false },
};
const read = (more: object): ReturnType<typeof readCaller> => readCaller(JSON.stringify({ ...told, ...more }));

describe('a caller, as the service tells of it', () => {
  it('is a person at the screen', () => {
    expect(read({})).toEqual({ pid: 4711, startTime: '133770000000000000', uid: 1001, atScreen: true });
  });

  it.each([{ system: true }, { administrator: true }])('is root when it is %o', (more) => {
    expect(read(more)?.uid).toBe(0);
  });

  it('is never root by the end of its SID', () => {
    expect(read({ sid: 'S-1-5-21-1-2-3-0' })?.uid).toBe(1);
  });

  it.each([
    ...[{ pid: 0 }, { pid: '4711' }, { sid: 'SYSTEM' }, { sid: '' }, { started: '' }, { administrator: 'false' }],
    ...[{ more: 1 }, { active: undefined }],
  ])('is not known from %o', (more) => {
    expect(read(more)).toBeUndefined();
  });

  it.each([undefined, '', 'null', '{', ' '.repeat(2000)])('is not known from %j', (text) => {
    expect(readCaller(text)).toBeUndefined();
  });
});

describe('who may do what', () => {
  const signal = new AbortController().signal;
  const may = (permission: Permission, caller: { uid: number; atScreen?: boolean }): Promise<boolean> =>
    byToken()
      .require({ pid: 1, startTime: '1', ...caller }, permission, signal)
      .then(
        () => true,
        (error: unknown) => {
          expect(error).toMatchObject({ code: 'not-authorised' });
          return false;
        },
      );
  const rows: [Permission, { root: boolean; screen: boolean; elsewhere: boolean }][] = [
    ['read', { root: true, screen: true, elsewhere: true }],
    ['upkeep', { root: true, screen: true, elsewhere: false }],
    ['repair', { root: true, screen: true, elsewhere: false }],
    ['support', { root: true, screen: true, elsewhere: false }],
    ['enroll', { root: true, screen: false, elsewhere: false }],
    ['uninstall', { root: true, screen: false, elsewhere: false }],
  ];
  it.each(rows)('%s', async (permission, expected) => {
    expect({
      root: await may(permission, { uid: 0 }),
      screen: await may(permission, { uid: 1001, atScreen: true }),
      elsewhere: await may(permission, { uid: 1001, atScreen: false }),
    }).toEqual(expected);
  });
});
