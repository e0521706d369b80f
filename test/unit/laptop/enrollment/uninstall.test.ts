import { readdir, readFile, writeFile } from 'node:fs/promises';
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
});
