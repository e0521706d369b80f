import { randomBytes } from 'node:crypto';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { fingerprint } from '../../../src/protocol/fingerprint.ts';
import type { Lab, Laptop } from '../../lab/lab.ts';
import { drive, makeLab } from './drive.ts';

let lab: Lab;
let anna: Laptop;
let destroy: () => Promise<void>;
const salt = randomBytes(32).toString('base64');

beforeAll(async () => {
  ({ lab, destroy } = await makeLab());
  anna = await lab.addLaptop({ name: 'anna' });
});
afterAll(() => destroy());

describe('a laptop with its own SMBIOS', () => {
  it('is described by it', async () => {
    const { ok, ms } = await drive(anna, 'machine', { verb: 'host' });
    console.info(`host description: ${ms} ms`);
    expect(ok).toEqual({
      name: 'anna',
      os: 'linux',
      osVersion: expect.stringContaining('Debian') as string,
      arch: process.arch,
      serial: anna.dmi.product_serial,
      uuid: anna.dmi.product_uuid,
      model: anna.dmi.product_name,
    });
  });

  it('has a fingerprint of its own, the same every time', async () => {
    const first = await drive(anna, 'machine', { verb: 'fingerprint', salt });
    const { components, digest } = fingerprint.parse(first.ok);
    expect(components.map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(['uuid', 'system-serial', 'board-serial', 'chassis-serial']),
    );
    await anna.powerOff();
    await anna.boot();
    expect(fingerprint.parse((await drive(anna, 'machine', { verb: 'fingerprint', salt })).ok).digest).toBe(digest);
    const bela = await lab.addLaptop({ name: 'bela' });
    expect(fingerprint.parse((await drive(bela, 'machine', { verb: 'fingerprint', salt })).ok).digest).not.toBe(digest);
  });

  it('is refused when its firmware was never filled in', async () => {
    const blank = await lab.addLaptop({
      name: 'blank',
      dmi: {
        product_uuid: '03000200-0400-0500-0006-000700080009',
        product_serial: 'To be filled by O.E.M.',
        board_serial: 'Default string',
        chassis_serial: 'Default string',
      },
    });
    const { error } = await drive(blank, 'machine', { verb: 'fingerprint', salt });
    expect(error?.code).toBe('fingerprint-too-weak');
    expect(error?.detail).toContain('board-serial: only a placeholder ("Default string")');
  });

  it('passes the preflight, which changes nothing', async () => {
    expect(await drive(anna, 'machine', { verb: 'preflight' })).toMatchObject({ ok: null });
    expect(await anna.changes()).toEqual([]);
  });
});
