import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadState, saveState } from '../../virtual-yubikey/key/state.ts';
import { FaultScript } from '../../virtual-yubikey/reader/faults.ts';
import { TouchSensor } from '../../virtual-yubikey/reader/touch-sensor.ts';
import { newState } from './test-card.ts';

const SERIAL = 1;
const SIGN = Buffer.from('0087119c', 'hex');
const VERIFY = Buffer.from('00200080', 'hex');

describe('faults', () => {
  it('happen at the n-th APDU, once', () => {
    const script = new FaultScript();
    script.add({ atApdu: 2, action: 'pull' });
    expect([SIGN, VERIFY, SIGN].map((apdu) => script.next(SERIAL, apdu).length)).toEqual([0, 1, 0]);
    expect(script.waiting).toEqual([]);
  });

  it('count only the named instruction and key', () => {
    const script = new FaultScript();
    script.add({ atApdu: 2, ins: 0x87, serial: SERIAL, action: 'status', status: 0x6f00 });
    expect(script.next(SERIAL, SIGN)).toEqual([]);
    expect(script.next(SERIAL, VERIFY)).toEqual([]);
    expect(script.next(2, SIGN)).toEqual([]);
    expect(script.next(SERIAL, SIGN)).toHaveLength(1);
  });

  it('go on from the n-th APDU until cleared when not once', () => {
    const script = new FaultScript();
    script.add({ atApdu: 2, action: 'delay', ms: 1, once: false });
    expect([1, 2, 3].map(() => script.next(SERIAL, SIGN).length)).toEqual([0, 1, 1]);
    script.clear();
    expect(script.next(SERIAL, SIGN)).toEqual([]);
  });
});

describe('touch sensor', () => {
  const sensor = (mode: 'auto' | 'manual' | 'never', delayMs = 0): TouchSensor =>
    new TouchSensor({ mode, delayMs, timeoutMs: 40 });
  const held = new AbortController().signal;

  it('auto touches at once or after the delay, if that is before the time-out', async () => {
    expect(await sensor('auto').wait(SERIAL, held)).toBe(true);
    expect(await sensor('auto', 10).wait(SERIAL, held)).toBe(true);
    expect(await sensor('auto', 1_000).wait(SERIAL, held)).toBe(false);
  });

  it('manual waits for the touch, names who blinks, and takes a touch made just before', async () => {
    const manual = sensor('manual');
    const waiting = manual.wait(SERIAL, held);
    expect(manual.blinking).toEqual([SERIAL]);
    expect(manual.touch()).toEqual([SERIAL]);
    expect(await waiting).toBe(true);
    expect(manual.touch()).toEqual([]);
    expect(await manual.wait(SERIAL, held)).toBe(true);
    expect(await manual.wait(SERIAL, held)).toBe(false);
  });

  it('never lets the key time out, and stops blinking when the key is pulled', async () => {
    expect(await sensor('never').wait(SERIAL, held)).toBe(false);
    const manual = sensor('manual');
    const removal = new AbortController();
    const waiting = manual.wait(SERIAL, removal.signal);
    removal.abort();
    expect(await waiting).toBe(false);
    expect(manual.blinking).toEqual([]);
  });
});

describe('state file', () => {
  it('is read as it was written, is replaced without leaving anything beside it, and is checked', () => {
    const directory = mkdtempSync(join(tmpdir(), 'virtual-yubikey-'));
    try {
      const path = join(directory, 'key.json');
      const state = newState();
      saveState(path, state);
      saveState(path, { ...state, serial: 7 });
      expect(loadState(path)).toEqual({ ...state, serial: 7 });
      expect(readdirSync(directory)).toEqual(['key.json']);
      saveState(path, { ...state, serial: -1 });
      expect(() => loadState(path)).toThrow('serial');
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
