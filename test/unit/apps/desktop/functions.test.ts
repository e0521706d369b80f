import { describe, expect, it, vi } from 'vitest';

import type { Desk } from '../../../../src/apps/desktop/main/desk.ts';
import { callFunction, FUNCTIONS } from '../../../../src/apps/desktop/main/functions.ts';

const done = (): Promise<void> => Promise.resolve();
const parts = () => {
  const desk = {
    ...{ enroll: vi.fn(done), cancel: vi.fn(), enterPin: vi.fn(), chooseKey: vi.fn() },
    ...{ refresh: vi.fn(done), renew: vi.fn(done), leave: vi.fn(done), repair: vi.fn(done), report: vi.fn(done) },
    ...{ sendReport: vi.fn(), saveReport: vi.fn(done), openLink: vi.fn() },
    ...{ tunnelByApp: vi.fn(done), tunnelByDaemon: vi.fn(done) },
  };
  return { desk: desk as unknown as Desk, copy: vi.fn(), spies: desk };
};

describe('what the page may call', () => {
  it('is called with its arguments', () => {
    const { spies, ...given } = parts();
    expect(callFunction(given, 'enterPin', ['123456'])).toBe(true);
    expect(spies.enterPin).toHaveBeenCalledWith('123456');
    expect(callFunction(given, 'chooseKey', [31_000_001])).toBe(true);
    expect(spies.chooseKey).toHaveBeenCalledWith(31_000_001);
    expect(callFunction(given, 'openLink', [1])).toBe(true);
    expect(spies.openLink).toHaveBeenCalledWith(1);
    const plain = [
      'enroll',
      'cancel',
      'refresh',
      'renew',
      'leave',
      'repair',
      'report',
      'sendReport',
      'saveReport',
      'tunnelByApp',
      'tunnelByDaemon',
    ] as const;
    for (const name of plain) {
      expect(callFunction(given, name, [])).toBe(true);
      expect(spies[name]).toHaveBeenCalledTimes(1);
    }
    expect(Object.keys(FUNCTIONS).length).toBe(16);
  });

  it('at the first start of a laptop is the way to the login screen alone, and nowhere else', () => {
    const { spies, ...given } = parts();
    const toLogin = vi.fn();
    for (const name of Object.keys(FUNCTIONS)) {
      expect(callFunction({ toLogin }, name, name === 'copy' || name === 'enterPin' ? ['x'] : [])).toBe(
        name === 'toLogin',
      );
    }
    expect(toLogin).toHaveBeenCalledTimes(1);
    expect(callFunction({ toLogin }, 'toLogin', [1])).toBe(false);
    expect(callFunction(given, 'toLogin', [])).toBe(false);
    for (const spy of Object.values(spies)) expect(spy).not.toHaveBeenCalled();
  });

  it.each([
    ['a function that there is not', 'spawn', ['/bin/sh']],
    ['a name of every object', 'constructor', []],
    ['its prototype', '__proto__', []],
    ['no name', undefined, []],
    ['a name that is an object', { toString: () => 'enroll' }, []],
    ['arguments that are none', 'enroll', undefined],
    ['an argument too many', 'enroll', [1]],
    ['no PIN', 'enterPin', []],
    ['an empty PIN', 'enterPin', ['']],
    ['a PIN that is a number', 'enterPin', [123456]],
    ['a PIN without end', 'enterPin', ['1'.repeat(65)]],
    ['a PIN that is an object', 'enterPin', [{ length: 6 }]],
    ['a serial number that is none', 'chooseKey', [1.5]],
    ['a serial number as text', 'chooseKey', ['31000001']],
    ['a serial number that is too large', 'chooseKey', [2 ** 32]],
    ['a keeper of the connection that the page names', 'tunnelByApp', ['/bin/sh']],
    ['a link by its address', 'openLink', ['https://elsewhere.example/']],
    ['a link that is none', 'openLink', [-1]],
    ['a text without end', 'copy', ['x'.repeat(10_001)]],
  ])('is not %s', (_what, name, args) => {
    const { spies, ...given } = parts();
    expect(callFunction(given, name, args)).toBe(false);
    for (const spy of Object.values(spies)) expect(spy).not.toHaveBeenCalled();
    expect(given.copy).not.toHaveBeenCalled();
  });
});
