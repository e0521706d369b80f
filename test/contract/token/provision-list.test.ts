import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { generateP256 } from '../../../src/pki/keys.ts';
import { startTestSlice, type TestSlice } from '../../fakes/slice/test-slice.ts';
import { openWorkbench, succeeds, type Workbench } from '../virtual-yubikey/workbench.ts';

// The program, ykman, pcscd and step-ca are real; the keys are virtual, and touch themselves.

const MAIN = path.resolve(import.meta.dirname, '../../../src/apps/operator/main.ts');
const [ANNA, BO, CLEO, DAN, EVE] = [50_000_001, 50_000_002, 50_000_003, 50_000_004, 50_000_005];

let bench: Workbench;
let slice: TestSlice;
beforeAll(async () => {
  bench = await openWorkbench([{ serial: ANNA, firmware: '5.7.1', fips: true }, { serial: BO }], { touch: 'auto' });
  slice = await startTestSlice({ init: { yubicoRootFile: bench.file('root/roots.pem') } });
  const key = generateP256().export({ type: 'pkcs8', format: 'pem' });
  await writeFile(bench.file('handover.key'), key);
  const pub = ['pkey', '-in', bench.file('handover.key'), '-pubout', '-out', bench.file('handover.pem')];
  await promisify(execFile)('/usr/bin/openssl', pub);
}, 120_000);
afterAll(async () => {
  await slice.remove();
  await bench.close();
});

interface Said {
  readonly code: number | null;
  readonly events: readonly Record<string, unknown>[];
  readonly all: string;
}

async function provision(list: string, ...more: string[]): Promise<Said> {
  const file = bench.file('list.csv');
  await writeFile(file, list);
  const files = ['--list', file, '--recipient', bench.file('handover.pem'), '--handover', bench.file('sealed')];
  const argv = [process.execPath, MAIN, 'yubikey', 'provision-list', '--dir', slice.dir, ...files, '--json', ...more];
  const { code, stdout, stderr } = await bench.sandbox.run(argv, { timeoutMs: 120_000, outsideNetwork: true });
  const events = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  return { code, events, all: `${stdout}${stderr}` };
}

interface Unsealed {
  readonly pin: string;
  readonly puk: string;
  readonly managementKey: string;
  readonly name: string;
}

async function unseal(serial: number): Promise<Unsealed> {
  const output = bench.file(`${serial}.opened`);
  const args = ['yubikey', 'unseal', bench.file(`sealed/${serial}.sealed`), '--key', bench.file('handover.key')];
  await promisify(execFile)(process.execPath, [MAIN, ...args, '--output', output]);
  expect((await stat(output)).mode & 0o777).toBe(0o600);
  return JSON.parse(await readFile(output, 'utf8')) as Unsealed;
}

/** Whether ykman gets along with these secrets. */
async function accepts(serial: number, { pin, puk, managementKey }: Unsealed): Promise<void> {
  const access = (...args: string[]) =>
    bench.run('/usr/bin/ykman', '--device', String(serial), 'piv', 'access', ...args);
  await succeeds(access('change-pin', '--pin', pin, '--new-pin', pin));
  await succeeds(access('change-puk', '--puk', puk, '--new-puk', puk));
  await succeeds(access('set-retries', '--pin', pin, '--management-key', managementKey, '--force', '3', '3'));
}

describe('many keys from a list', () => {
  it('are provisioned one after another, their secrets random, sealed, and in nothing that is printed', async () => {
    const list = `serial,role,name\n${ANNA},engineer,"Anna ""A."" Ampel"\n${BO},teacher,Bo Bauer\n`;
    const { code, events, all } = await provision(list, '--letters', bench.file('letters'));
    expect(code, all).toBe(0);
    expect(events.at(-1)).toMatchObject({ result: 'provisioned', done: [ANNA, BO], skipped: [], failed: [] });
    const done = events.filter(({ type }) => type === 'done');
    expect(done).toMatchObject([
      { serial: ANNA, fips: true, firmware: '5.7.1', left: 1 },
      { serial: BO, fips: false, left: 0 },
    ]);
    const [anna, bo] = [await unseal(ANNA), await unseal(BO)];
    expect(anna).toMatchObject({ name: 'Anna "A." Ampel', pin: expect.stringMatching(/^\d{8}$/u) as string });
    for (const field of ['pin', 'puk', 'managementKey'] as const) {
      expect(anna[field]).not.toBe(bo[field]);
      for (const secret of [anna[field], bo[field]]) expect(all).not.toContain(secret);
    }
    const sealed = await readFile(bench.file(`sealed/${ANNA}.sealed`), 'utf8');
    expect(sealed.split('.')).toHaveLength(5);
    expect((await stat(bench.file(`sealed/${ANNA}.sealed`))).mode & 0o777).toBe(0o600);
    const letter = await readFile(bench.file(`letters/${ANNA}.txt`), 'utf8');
    expect(letter).toContain(anna.pin);
    expect(letter).not.toContain(anna.puk);
    expect((await stat(bench.file(`letters/${ANNA}.txt`))).mode & 0o777).toBe(0o600);
    const keys = await slice.running.context.registry.listYubikeys();
    expect(keys.map(({ serial, role }) => [serial, role])).toEqual(
      expect.arrayContaining([
        [ANNA, 'engineer'],
        [BO, 'teacher'],
      ]),
    );
    await accepts(BO, bo);
  }, 120_000);

  it('are gone on with by running it again: what is registered is skipped', async () => {
    const before = await readFile(bench.file(`sealed/${ANNA}.sealed`), 'utf8');
    const { code, events } = await provision(`serial,role,name\n${ANNA},engineer,Anna\n${BO},teacher,Bo\n`);
    expect([code, events.at(-1)]).toMatchObject([0, { done: [], skipped: [ANNA, BO] }]);
    expect(await readFile(bench.file(`sealed/${ANNA}.sealed`), 'utf8')).toBe(before);
  }, 60_000);
});

describe('a key that is not as it should be', () => {
  it('is left out and named, and the others go on; with --reset it is erased and taken', async () => {
    await bench.sandbox.control.pull();
    await bench.sandbox.control.insert(bench.makeKey({ serial: CLEO }));
    const used = ['/usr/bin/ykman', '--device', String(CLEO), 'piv', 'access', 'change-management-key'];
    const other = '0f0e0d0c0b0a09080706050403020100f0e0d0c0b0a09080';
    const factory = '010203040506070801020304050607080102030405060708';
    await succeeds(bench.run(...used, '--force', '--management-key', factory, '--new-management-key', other));
    const list = `serial,role,name\n${CLEO},engineer,Cleo\n`;
    const refused = await provision(list);
    expect([refused.code, refused.events.at(-1)]).toMatchObject([
      3,
      { failed: [{ serial: CLEO, code: 'key-not-new' }] },
    ]);
    expect((await readdir(bench.file('sealed'))).filter((name) => name.startsWith(String(CLEO)))).toEqual([]);
    const taken = await provision(list, '--reset');
    expect([taken.code, taken.events.at(-1)], taken.all).toMatchObject([0, { done: [CLEO] }]);
    await accepts(CLEO, await unseal(CLEO));
  }, 120_000);

  it('is refused for its firmware before anything on it is changed, where the slice says so', async () => {
    const file = slice.paths.config;
    const kept = await readFile(file, 'utf8');
    await writeFile(file, kept.replace('"older": "warn"', '"older": "refuse"'), { mode: 0o600 });
    await bench.sandbox.control.pull();
    await bench.sandbox.control.insert(bench.makeKey({ serial: DAN, firmware: '5.4.3' }));
    const { code, events } = await provision(`serial,role,name\n${DAN},engineer,Dan\n`);
    expect([code, events.at(-1)]).toMatchObject([3, { failed: [{ serial: DAN, code: 'policy-refused' }] }]);
    await writeFile(file, kept, { mode: 0o600 });
    const pin = ['/usr/bin/ykman', '--device', String(DAN), 'piv', 'access', 'change-pin', '--pin', '123456'];
    await succeeds(bench.run(...pin, '--new-pin', '123456'));
  }, 60_000);

  it('is refused when only the FIPS series is wanted', async () => {
    await bench.sandbox.control.pull();
    await bench.sandbox.control.insert(bench.makeKey({ serial: EVE }));
    const { events } = await provision(`serial,role,name\n${EVE},engineer,Eve\n`, '--fips');
    expect(events.at(-1)).toMatchObject({ failed: [{ serial: EVE, code: 'key-not-fips' }] });
    expect((await slice.running.context.registry.findYubikey(EVE)) === undefined).toBe(true);
  }, 60_000);
});

it('a recipient that is a private key is refused', async () => {
  await mkdir(bench.file('x'), { recursive: true });
  const args = ['yubikey', 'provision-list', '--dir', slice.dir, '--list', bench.file('list.csv'), '--json'];
  const more = ['--recipient', bench.file('handover.key'), '--handover', bench.file('x')];
  const { stdout } = await bench.sandbox.run([process.execPath, MAIN, ...args, ...more]);
  expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'file-unusable' } });
});
