import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { uninstall } from '../../../../src/laptop/enrollment/uninstall.ts';
import { check } from '../../../../src/laptop/upkeep/check.ts';
import { enrolledLaptop, type EnrolledLaptop } from '../enrolled-laptop.ts';
import { answerSigned } from '../gateway-client/signed-answers.ts';

let laptop: EnrolledLaptop;
let journal = '';
beforeEach(async () => {
  laptop = await enrolledLaptop();
  journal = path.join(laptop.stateFolder, 'journal.jsonl');
  laptop.gateway.answer(answerSigned(laptop.slice, { content: { state: 'ended', endReason: 'churn', fleet: null } }));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await laptop.end();
});

const rename = async (header: string): Promise<void> => {
  const lines = (await readFile(journal, 'utf8')).split('\n');
  expect(lines[0]).toBe('{"plan":"enrollment","version":1}');
  await writeFile(journal, [header, ...lines.slice(1)].join('\n'));
};

describe('an enrollment is taken away', () => {
  it('that version 0.1.0 made, whose journal has no name', async () => {
    await rename('');
    expect(await uninstall(laptop.context, () => undefined)).toMatchObject({ farewell: 'told', leftBehind: [] });
    expect(laptop.removed).toEqual(['agent', 'tunnel', 'roots', 'key and certificate']);
  });

  it('whatever the environment says; the deregistration then stays pending', async () => {
    vi.stubEnv('HTTPS_PROXY', 'socks5://nowhere');
    vi.stubEnv('https_proxy', undefined);
    vi.stubEnv('NO_PROXY', undefined);
    vi.stubEnv('no_proxy', undefined);
    expect(await uninstall(laptop.context, () => undefined)).toMatchObject({ farewell: 'kept', leftBehind: [] });
    expect(await readdir(laptop.stateFolder)).toEqual(['farewell.json']);
    expect(await check(laptop.context, () => undefined)).toMatchObject({
      farewells: [{ error: { code: 'proxy-invalid', detail: 'HTTPS_PROXY: a proxy of type socks5:' } }],
    });
    vi.unstubAllEnvs();
    expect(await check(laptop.context, () => undefined)).toMatchObject({ farewells: [{ customer: 'Acme GmbH' }] });
    expect(laptop.removed).toEqual(['agent', 'tunnel', 'roots', 'key and certificate']);
  });

  it.each(['{"plan":"claim","version":1}', '{"plan":"enrollment","version":2}'])(
    'not by a journal that begins with %s, and the slice hears nothing',
    async (header) => {
      await rename(header);
      await expect(uninstall(laptop.context, () => undefined)).rejects.toMatchObject({ code: 'other-plan-begun' });
      expect(laptop.gateway.seen).toEqual([]);
      await expect(check(laptop.context, () => undefined)).rejects.toMatchObject({ code: 'other-plan-begun' });
      expect(laptop.removed).toEqual([]);
      expect(await readdir(laptop.stateFolder)).toEqual(['enrollment.json', 'journal.jsonl']);
    },
  );

  const remains = async (): Promise<string> =>
    readdir(laptop.stateFolder).then(
      (names) => names.join(' '),
      () => 'gone',
    );

  it.each<[string, (file: string) => Promise<void>]>([
    ['is empty', (file) => writeFile(file, '')],
    ['is lost', (file) => rm(file)],
    ['holds rubbish', (file) => writeFile(file, '\0{"at":1}\n[]\n')],
    ['is too large to be read', (file) => writeFile(file, 'x'.repeat(1024 * 1024 + 1))],
  ])('as a whole although the journal %s', async (_what, lose) => {
    await lose(journal);
    expect(await uninstall(laptop.context, () => undefined)).toMatchObject({ farewell: 'told', leftBehind: [] });
    expect(laptop.removed).toEqual(['agent', 'tunnel', 'roots', 'key and certificate']);
    expect(await remains()).toBe('gone');
  });

  it('that has no record any more, and whose certificate does not name it: what is found is removed', async () => {
    await rm(laptop.stateFolder, { recursive: true });
    await expect(check(laptop.context, () => undefined)).resolves.toMatchObject({
      remains: ['key and certificate', 'roots', 'tunnel', 'agent'],
    });
    expect(await uninstall(laptop.context, () => undefined)).toEqual({
      ...{ customer: undefined, farewell: 'untold', leftBehind: [], unsure: [] },
    });
    expect(laptop.removed).toEqual(['agent', 'tunnel', 'roots', 'key and certificate']);
    await expect(uninstall(laptop.context, () => undefined)).rejects.toMatchObject({ code: 'not-enrolled' });
  });

  it('and is not called gone while something of it is still found', async () => {
    laptop.stuck.push('tunnel');
    expect(await uninstall(laptop.context, () => undefined)).toMatchObject({ leftBehind: ['tunnel'] });
    expect(await remains()).toContain('enrollment.json');
    expect(await check(laptop.context, () => undefined)).toEqual({ farewells: [], remains: ['tunnel'] });
    laptop.stuck.length = 0;
    expect(await uninstall(laptop.context, () => undefined)).toMatchObject({ leftBehind: [] });
    expect(await remains()).toBe('gone');
  });
});
