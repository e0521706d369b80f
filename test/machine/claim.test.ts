import { readdir, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { TOKEN_FILE } from '../../src/apps/enroll/claim-command.ts';
import { openEscrow, recipientOf } from '../../src/pki/escrow-jwe.ts';
import { generateP256 } from '../../src/pki/keys.ts';
import { TYP } from '../../src/protocol/common.ts';
import { escrowContent } from '../../src/protocol/disk-escrow.ts';
import { buildDeb } from '../contract/linux-package/build.ts';
import { Customer } from '../e2e/01-enrollment/customer.ts';
import { escrowOpener } from '../fakes/escrow-opener.ts';
import { sampleOf } from '../sample.ts';
import { makeBatch } from '../world/delivery.ts';
import { ADA, GRACE, type Domain } from '../world/domain.ts';
import { DC, REALM } from '../world/domain-files.ts';
import { knows, startDomainInside } from '../world/domain-inside.ts';
import { SIGN_IN_PACKAGES } from '../world/install-sign-in.ts';
import { signInAs } from '../world/sign-in-as.ts';
import { deliver, listed } from './deliver.ts';
import { installPackage, sh } from './install-package.ts';
import { addMachine } from './join-world.ts';
import type { Machine } from './machine.ts';
import { FIRST_START_CUTS, type FirstStartCut } from './power-cuts.ts';
import { expectWhole, RECORD } from './renewal.ts';
import { useSuiteFolder } from './suite-folder.ts';

// A laptop as an OEM ships it, with a token, an encrypted volume, a TPM and SSSD: its own units claim it, let the people of its customer's
// directory sign in and secure its disk, and the power is cut again and again meanwhile.

const VOLUME = '/dev/vdb';
const MAPPED = '/dev/mapper/data';
const FACTORY_KEY = '/etc/kiwistack/factory.key';
const PATIENT = { timeout: 900_000, interval: 2_000 };
const cuts = sampleOf('power cuts of a first start', FIRST_START_CUTS, 3);

const folder = useSuiteFolder('claim', { story: true });
const holder = generateP256();
let customer: Customer;
let domain: Domain;
let machine: Machine;
const inside = (script: string): Promise<string> => sh(machine, script);

/** Before it begins, the unit waits until the test says where the power goes. As its own process, so that all else is as delivered. */
const patientUnit = (command: string): string => `[Service]
ExecStart=
ExecStart=/bin/sh -c 'until [ -e /run/%p.cut ]; do sleep 0.2; done; . /run/%p.cut; exec /usr/bin/kiwistack-enroll ${command}'
TimeoutStartSec=infinity
# The power is cut through /proc.
ProtectKernelTunables=no
`;

beforeAll(async () => {
  customer = await Customer.create();
  const { world } = customer;
  domain = await startDomainInside(world, {
    recoveryKey: { recipients: [{ name: 'holder', key: recipientOf(holder) }], laptops: 'oem' },
    claims: { withoutTpm: 'accept', approvalHours: 1 },
  });
  const image = path.join(folder.path, 'data.raw');
  await writeFile(image, '');
  await truncate(image, 64 << 20);
  const extraDisks = [{ path: image, format: 'raw' }] as const;
  const roots = path.join(world.sliceDir, 'msp', 'root.crt');
  const [added, deb] = await Promise.all([
    addMachine(world, { dir: path.join(folder.path, 'oem'), name: 'oem', extraDisks }),
    buildDeb(folder.path, ['--kind', 'test', '--msp-roots', roots]),
  ]);
  machine = added;
  await installPackage(machine, deb);
  await installSignIn();
  // As installers/image makes its volume: with a key of this laptop's own.
  await inside(`umask 077; echo dm_crypt >/etc/modules-load.d/dm-crypt.conf; modprobe dm_crypt
    head -c 64 /dev/urandom >${FACTORY_KEY}
    cryptsetup -q luksFormat --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file ${FACTORY_KEY} ${VOLUME}
    echo '{"device":"${VOLUME}","volumeKey":"own"}' >/etc/kiwistack/factory-disk.json
    echo 'data ${VOLUME} ${FACTORY_KEY} luks,nofail' >/etc/crypttab`);
  for (const [unit, command] of [
    ['first-boot', 'claim'],
    ['disk', 'secure-disk'],
  ] as const) {
    const file = path.join(folder.path, `${unit}.conf`);
    await writeFile(file, patientUnit(command));
    await machine.copyIn(file, `/etc/systemd/system/kiwistack-${unit}.service.d/cut.conf`, '644');
  }
  await deliver(machine, await makeBatch(world, '2026-11', [listed(machine)]));
}, 1_800_000);
afterAll(async () => {
  console.log(`machine: ${cuts.length} power cuts of a first start`);
  await domain.remove();
  await customer.destroy();
});

/** As the packages of an image, without SSSD's tools in Python, which nobody needs here. */
async function installSignIn(): Promise<void> {
  for (const name of await readdir(SIGN_IN_PACKAGES)) {
    if (!name.endsWith('.deb') || name.startsWith('python3-sss')) continue;
    await machine.copyIn(path.join(SIGN_IN_PACKAGES, name), `/srv/sign-in/${name}`, '644');
  }
  await inside('dpkg --force-depends --force-confold --install /srv/sign-in/*.deb 2>&1; rm -r /srv/sign-in');
  await knows(machine, DC);
}

/** It may begin. @param env where it is cut off */
const letGo = (unit: string, env = ''): Promise<string> =>
  inside(`echo '${env}' >/run/${unit}.new; mv /run/${unit}.new /run/${unit}.cut`);

/** A claim that has ended for good is not waited for: what its units said is shown. */
async function untilSpent(): Promise<void> {
  const ended =
    'systemctl is-failed --quiet kiwistack-first-boot.service && journalctl -q -b -n 150 -o short-monotonic';
  const stand = (): Promise<string> => inside(`[ -e ${TOKEN_FILE} ] || exec echo spent; ${ended} || echo waits`);
  await expect.poll(stand, PATIENT).not.toBe('waits');
  expect(await stand()).toBe('spent');
}

async function cutAt(cut: FirstStartCut): Promise<void> {
  const { unit, point } = cut;
  if (unit === 'kiwistack-disk') {
    // The claim comes to its end first: the power was cut before the token was away, or before the disk knew.
    await letGo('kiwistack-first-boot');
    await untilSpent();
    await inside(`systemctl start --no-block ${unit}.service`);
  }
  // It waits with its drop-in. From the last cut on, all of it is as delivered.
  if (cut === cuts.at(-1)) await inside('rm -r /etc/systemd/system/kiwistack-*.service.d; sync');
  await letGo(unit, `export KIWISTACK_FAULT=${point}=power`);
  for (;;) {
    const off = await Promise.race([machine.ended().then(() => true), sleep(2000).then(() => false)]);
    if (off) return;
    // While the power goes, nobody answers.
    const said = await inside(`systemctl is-active ${unit}.service || journalctl -q -b -u ${unit} -o cat`).catch(
      () => 'activating',
    );
    expect(['active', 'activating'], `${point} was not passed: ${said}`).toContain(said.split('\n')[0]);
  }
}

async function secured(): Promise<string> {
  const { stdout, stderr } = await machine.run(['/usr/bin/kiwistack-enroll', 'secure-disk', '--json']);
  return (JSON.parse(stdout.trim().split('\n').at(-1) ?? '{}') as { result?: string }).result ?? stdout + stderr;
}

describe('a laptop that an OEM has shipped', () => {
  test.for(cuts)('$unit goes on by itself after a power cut at $point', async (cut) => {
    if (!machine.on) await machine.boot();
    await cutAt(cut);
    await machine.boot();
    // Whoever comes next is asked for no key.
    await expect.poll(() => inside(`[ -b ${MAPPED} ] && echo open || echo closed`), PATIENT).toBe('open');
  });

  test('is claimed and has its disk secured, with one device, one token used, and one of each key', async () => {
    await untilSpent();
    expect(await inside(`cat ${RECORD}`)).toContain('"state": "active"');
    // Its timer would do so within half an hour.
    await inside('systemctl start kiwistack-disk.service');
    await expect.poll(secured, PATIENT).toBe('secured');
    const { serial } = machine.smbios;
    const devices = (await customer.operator.ask('device.list')).filter(({ host }) => host.serial === serial);
    const live = devices.filter(({ state }) => state !== 'ended');
    expect(live.map(({ state }) => state)).toEqual(['active']);
    const tokens = await customer.operator.ask('batch.tokens', {});
    expect(tokens.map(({ deviceId }) => deviceId)).toEqual([live[0]?.id]);
    expect(await customer.peers()).toEqual([live[0]?.wireguardPublicKey]);
    expect(await customer.fleetHosts({ dmi: { product_serial: serial } })).toHaveLength(1);
    const status = async (): Promise<string> => {
      const { code, stdout, stderr } = await machine.run(['/usr/bin/kiwistack-enroll', 'status', '--json']);
      return code === 0 ? 'healthy' : stdout + stderr;
    };
    await expect.poll(status, PATIENT).toBe('healthy');
    await expectWhole(machine);
  });

  test('lets people of the directory sign in, also without a network, and nobody with a wrong password', async () => {
    const expectLetIn = async (): Promise<void> => {
      const { letIn, said } = await signInAs(machine, ADA);
      expect(letIn, said).toBe(true);
      expect(said).toContain(`${ADA.uid}\n/home/${ADA.uid}\n`);
    };
    await expectLetIn();
    expect((await signInAs(machine, ADA)).said).toContain(`krbtgt/${REALM}@${REALM}`);
    expect((await signInAs(machine, { ...ADA, password: 'Enigma-1844' })).letIn).toBe(false);
    await inside('nmcli networking off');
    await expectLetIn();
    expect((await signInAs(machine, GRACE)).letIn).toBe(false);
    await inside('nmcli networking on');
    await expect.poll(async () => (await signInAs(machine, GRACE)).letIn, PATIENT).toBe(true);
  });

  test('its disk is opened by its TPM, by the recovery key that its customer has, and by nothing else', async () => {
    expect(await inside(`[ -e ${FACTORY_KEY} ] && echo there || echo gone; cat /etc/crypttab`)).toMatch(
      /^gone\ndata \/dev\/vdb none \S*tpm2-device=auto$/u,
    );
    const dump = JSON.parse(await inside(`cryptsetup luksDump --dump-json-metadata ${VOLUME}`)) as Luks2;
    expect(Object.values(dump.tokens).map(({ type }) => type)).toEqual(
      expect.arrayContaining(['systemd-recovery', 'systemd-tpm2']),
    );
    expect([Object.keys(dump.tokens).length, Object.keys(dump.keyslots).length]).toEqual([2, 2]);
    const [device] = (await customer.operator.ask('device.list')).filter(({ state }) => state === 'active');
    const shown = await customer.operator.ask('recovery-key.show', { device: device?.hostName ?? '', why: 'a test' });
    const opened = await openEscrow(escrowOpener(holder), shown.escrow[0] ?? '', TYP.escrow);
    const { key } = escrowContent.parse(JSON.parse(opened.toString()));
    const trial = ['cryptsetup', 'open', '--test-passphrase', '--disable-external-tokens', '--key-file', '-', VOLUME];
    expect((await machine.run(['/usr/bin/env', ...trial], { input: key })).code).toBe(0);
  });

  test('is the same after another restart, without a failed unit', async () => {
    await machine.reboot();
    expect(await inside(`[ -b ${MAPPED} ] && systemctl --failed --no-legend`)).toBe('');
    await expectWhole(machine);
  });
});

interface Luks2 {
  readonly tokens: Readonly<Record<string, { readonly type: string }>>;
  readonly keyslots: Readonly<Record<string, unknown>>;
}
