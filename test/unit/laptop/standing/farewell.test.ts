import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { uninstall } from '../../../../src/laptop/enrollment/uninstall.ts';
import { FarewellFile } from '../../../../src/laptop/state/farewell.ts';
import { check } from '../../../../src/laptop/upkeep/check.ts';
import { openCompact } from '../../../../src/pki/jws.ts';
import { generateP256 } from '../../../../src/pki/keys.ts';
import { TYP } from '../../../../src/protocol/common.ts';
import * as examples from '../../protocol/examples.ts';
import { enrolledLaptop, type EnrolledLaptop } from '../enrolled-laptop.ts';
import { hangUp, say } from '../gateway-client/local-gateway.ts';
import { answerSigned, makeSlice } from '../gateway-client/signed-answers.ts';

let laptop: EnrolledLaptop;
beforeEach(async () => {
  laptop = await enrolledLaptop();
});
afterEach(async () => {
  await laptop.end();
});

const quiet = (): undefined => undefined;
const leaves = () => uninstall(laptop.context, quiet);
const checks = () => check(laptop.context, quiet);
const ended = () => answerSigned(laptop.slice, { content: { state: 'ended', endReason: 'uninstalled' } });
const files = (): Promise<string[]> => readdir(laptop.stateFolder).catch(() => []);
const TAKEN = ['agent', 'tunnel', 'roots', 'key and certificate'];

describe('an uninstallation', () => {
  it('deregisters and leaves nothing', async () => {
    laptop.gateway.answer(ended());
    expect(await leaves()).toMatchObject({ farewell: 'told', leftBehind: [] });
    expect(laptop.removed).toEqual(TAKEN);
    expect(await files()).toEqual([]);
  });

  it('keeps only a pending deregistration when the slice cannot be reached; it is reported later, and then nothing is left', async () => {
    laptop.gateway.answer(hangUp);
    expect(await leaves()).toMatchObject({ farewell: 'kept', leftBehind: [] });
    expect([laptop.removed, laptop.key]).toEqual([TAKEN, undefined]);
    expect(await files()).toEqual(['farewell.json']);
    const file = path.join(laptop.stateFolder, 'farewell.json');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await readFile(file, 'utf8')).not.toContain('PRIVATE');

    expect((await checks()).farewells).toMatchObject([{ error: { code: 'gateway-unreachable' } }]);
    expect(await files()).toEqual(['farewell.json']);

    laptop.gateway.answer(ended());
    expect(await checks()).toEqual({ farewells: [{ customer: 'Acme GmbH', deviceId: examples.ID.device }] });
    const [request] = laptop.gateway.seen;
    expect(request?.path).toBe(`/v1/devices/${examples.ID.device}/leave`);
    expect(openCompact(request?.body.toString() ?? '', TYP.leave).header.typ).toBe(TYP.leave);
    expect(await files()).toEqual([]);
    expect(await checks()).toEqual({ farewells: [] });
  });

  it('accepts only the slice’s own word that it was deregistered', async () => {
    const refusal = { ...examples.publicError, code: 'device-unknown' };
    const stranger = await makeSlice();
    const forgeries = [
      say(200, 'application/json', JSON.stringify({ ...examples.deviceStatus, state: 'ended' })),
      say(404, 'application/json', JSON.stringify(refusal)),
      answerSigned(stranger, { content: { state: 'ended' } }),
      answerSigned(laptop.slice, { content: { state: 'ended' }, key: generateP256() }),
      answerSigned(laptop.slice, { content: { state: 'active' } }),
    ];
    laptop.gateway.answer(hangUp);
    await leaves();
    for (const forgery of forgeries) {
      laptop.gateway.answer(forgery);
      expect((await checks()).farewells[0]?.error).toBeDefined();
      expect(await files()).toEqual(['farewell.json']);
    }
  });

  it('whose record is damaged deregisters as well, if device and key can be read', async () => {
    const file = path.join(laptop.stateFolder, 'enrollment.json');
    await writeFile(file, (await readFile(file, 'utf8')).replace('"version": 1', '"version": '), { mode: 0o600 });
    laptop.gateway.answer(hangUp);
    expect(await leaves()).toMatchObject({ farewell: 'kept', leftBehind: [] });
    laptop.gateway.answer(ended());
    expect((await checks()).farewells).toHaveLength(1);
    expect(await files()).toEqual([]);
  });

  it('that was interrupted after the key was deleted finds its pending deregistration', async () => {
    laptop.gateway.answer(hangUp);
    const kept = readFile(path.join(laptop.stateFolder, 'enrollment.json'));
    const record = await kept;
    await leaves();
    await writeFile(path.join(laptop.stateFolder, 'enrollment.json'), record, { mode: 0o600 });
    expect(laptop.key).toBeUndefined();
    laptop.gateway.answer(ended());
    expect(await leaves()).toMatchObject({ farewell: 'told' });
    expect(await files()).toEqual([]);
  });

  it('that was interrupted is finished by the next check', async () => {
    const file = path.join(laptop.stateFolder, 'enrollment.json');
    const record = await readFile(file);
    laptop.gateway.answer(hangUp);
    await leaves();
    await writeFile(file, record, { mode: 0o600 });
    laptop.gateway.answer(ended());
    expect((await checks()).farewells).toMatchObject([{ deviceId: examples.ID.device }]);
    expect(await files()).toEqual([]);
  });

  it('without key and pending deregistration reports that the slice was not informed', async () => {
    laptop.key = undefined;
    laptop.gateway.answer(ended());
    expect(await leaves()).toMatchObject({ farewell: 'untold', leftBehind: [] });
    expect(await files()).toEqual([]);
  });
});

describe('pending deregistrations', () => {
  it('of several devices are kept together, each once', async () => {
    const file = new FarewellFile(laptop.stateFolder);
    laptop.gateway.answer(hangUp);
    await leaves();
    const [first] = await file.load();
    if (first === undefined) throw new TypeError('kept');
    await file.keep({ ...first, deviceId: examples.ID.attempt });
    await file.keep({ ...first, signedAt: '2026-03-02T00:00:00.000Z' });
    expect((await file.load()).map(({ deviceId }) => deviceId)).toEqual([examples.ID.attempt, examples.ID.device]);
    await file.forget(examples.ID.attempt);
    await file.forget(examples.ID.attempt);
    expect(await file.load()).toHaveLength(1);
  });

  it('that others can read are not trusted', async () => {
    await writeFile(path.join(laptop.stateFolder, 'farewell.json'), '{}', { mode: 0o644 });
    await expect(checks()).rejects.toMatchObject({ code: 'state-damaged' });
  });
});
