import { createPrivateKey } from 'node:crypto';
import { lstat, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

import { expect, vi } from 'vitest';

import type { Laptop } from '../../lab/lab.ts';
import { CliRun } from './cli-run.ts';
import { expectNothingLeft, type Customer, type Seat } from './customer.ts';
import { changeKey } from './failures/failure.ts';
import { story } from './step.ts';

const REPOSITORY = path.join(import.meta.dirname, '..', '..', '..');
const TRACE = '/tmp/kiwistack.trace';
// -v: environments in full. -f: every child; the services that systemd's stand-in starts are children, too. -I2: can be ended.
const STRACE = ['/usr/bin/strace', '-I2', '-f', '-q', '-v', '-s', '65536', '-e', 'trace=execve,openat', '-o', TRACE];
/** Nothing else that is said or written could be taken for it. */
const PIN = 'kW7#q2Zx';

type Secrets = Readonly<Record<string, readonly string[]>>;

/** Where every secret of an enrollment goes: nowhere but into files that only root can read. */
export function secretsStayHidden(getCustomer: () => Customer): void {
  story('secrets', getCustomer, (step, seat) => {
    let customer: Customer;
    let grace: Seat;
    let run: CliRun;
    let trace: string;
    let secrets: Secrets;
    let underway: string[];
    let afterwards: string[];

    step('a whole enrollment under strace ends green', async () => {
      customer = getCustomer();
      grace = await seat('grace');
      const value = Buffer.from(PIN).toString('hex');
      const otherKey = (): Promise<number> => customer.key();
      await changeKey({ customer, seat: grace, otherKey }, (state) => ({ ...state, pin: { ...state.pin, value } }));
      run = new CliRun(grace.laptop, { prefix: STRACE, pin: PIN });
      await run.untilStep('agent');
      secrets = await collectSecrets(customer, grace.laptop);
      const seen = new Set<string>();
      while (run.result['type'] !== 'result') {
        for (const line of await holders(grace.laptop, secrets, customer.world.dir)) seen.add(line);
      }
      underway = [...seen];
      const { result } = run;
      expect(result, run.output).toMatchObject({ result: 'green' });
      const file = grace.laptop.path(TRACE);
      await vi.waitFor(
        async () => expect(await readFile(file, 'utf8')).toMatch(/^(\d+) +execve[^]*^\1 +\+\+\+ exited with 0/mu),
        {
          timeout: 20_000,
          interval: 100,
        },
      );
      // The agent's daemons are still traced: let them go.
      run.kill('SIGTERM');
      await run.ended;
      trace = await readFile(file, 'utf8');
      await grace.laptop.run(['/bin/rm', TRACE]);
      afterwards = await holders(grace.laptop, secrets, customer.world.dir);
    });

    step('no argument list or environment has one, except the agent’s own', () => {
      const started = trace.split('\n').filter((line) => / execve\(/u.test(line));
      expect(started.length).toBeGreaterThan(20);
      // systemd hands orbit its settings in its environment, as Fleet's package wants it; /proc shows that to root alone.
      const ours = started.filter((line) => !/execve\("\/opt\/orbit\//u.test(line));
      const found = ours.flatMap((line) => namesIn(line, secrets).map((name) => `${name}: ${line.slice(0, 120)}`));
      expect(found).toEqual([]);
      const agents = started.filter((line) => !ours.includes(line)).flatMap((line) => namesIn(line, secrets));
      expect(new Set(agents)).toEqual(new Set(['enroll secret']));
      // An argument list is open to everybody.
      const args = started.map((line) => /execve\("[^"]*", (\[.*?\]), \[/u.exec(line)?.[1] ?? line);
      expect(args.flatMap((line) => namesIn(line, secrets))).toEqual([]);
      return Promise.resolve();
    });

    step('every file of ours is private from the start, and never written through a link', () => {
      const ours = /^\/(?:etc\/(?:step|wireguard|fleet)|var\/lib\/kiwistack|run\/kiwistack)\//u;
      const made = [...trace.matchAll(/ openat\([^,]+, "([^"]+)", ([^,)]*O_CREAT[^,)]*), (0\d+)\) = \d+/gu)]
        .map(([, file = '', flags = '', mode = '']) => ({ file, flags, mode }))
        .filter(({ file }) => ours.test(file));
      expect(made.length).toBeGreaterThan(8);
      expect(made.filter(({ mode }) => mode !== '0600')).toEqual([]);
      expect(made.filter(({ flags }) => !flags.includes('O_NOFOLLOW'))).toEqual([]);
      return Promise.resolve();
    });

    step('on the disk each is only where it has to be, for root alone', () => {
      const kept = [
        '/etc/step/certs/acme.key 0600: device key',
        '/etc/wireguard/kiwi-acme.conf 0600: WireGuard key, preshared key',
      ];
      const allowed = ['/etc/fleet/enroll.env 0600: enroll secret', ...kept];
      expect(underway.filter((line) => !allowed.includes(line))).toEqual([]);
      expect(afterwards).toEqual(kept);
      return Promise.resolve();
    });

    step('neither our output nor the slice’s files have one', async () => {
      expect(namesIn(run.output, secrets)).toEqual([]);
      expect(namesIn(customer.world.sliceLog(), secrets)).toEqual([]);
      expect(namesIn(JSON.stringify(await customer.operator.ask('audit.list', { limit: 1000 })), secrets)).toEqual([]);
      expect((await customer.world.cli(grace.laptop, ['uninstall', '--json'])).code).toBe(0);
      await expectNothingLeft(customer, grace);
      expect(await holders(grace.laptop, secrets, customer.world.dir)).toEqual([]);
    });
  });
}

/** Every secret by name, in the forms in which it could be written. */
async function collectSecrets(customer: Customer, laptop: Laptop): Promise<Secrets> {
  const read = (file: string): Promise<string> => readFile(laptop.path(file), 'utf8');
  const pem = await read('/etc/step/certs/acme.key');
  const { d = '' } = createPrivateKey(pem).export({ format: 'jwk' });
  const scalar = Buffer.from(d, 'base64url');
  const config = await read('/etc/wireguard/kiwi-acme.conf');
  const valueOf = (name: string): string => new RegExp(`^${name}\\s*=\\s*(\\S+)$`, 'mu').exec(config)?.[1] ?? '';
  const ofFleet = async (file: string): Promise<string> =>
    (await readFile(path.join(customer.world.fleetDir, file), 'utf8')).trim();
  const secrets: Secrets = {
    PIN: [PIN, Buffer.from(PIN).toString('base64'), Buffer.from(PIN).toString('hex')],
    'device key': [
      pem.split('\n')[2] ?? '',
      d,
      scalar.toString('hex'),
      scalar.toString('base64'),
      scalar.toString('latin1'),
    ],
    'WireGuard key': forms(valueOf('PrivateKey')),
    'preshared key': forms(valueOf('PresharedKey')),
    'enroll secret': [await ofFleet('enroll-secret')],
    'API token': [await ofFleet('api-token')],
  };
  expect(
    Object.values(secrets)
      .flat()
      .every((form) => form.length >= 8),
  ).toBe(true);
  return secrets;
}

function forms(base64: string): string[] {
  const bytes = Buffer.from(base64, 'base64');
  return [base64, bytes.toString('hex'), bytes.toString('base64url'), bytes.toString('latin1')];
}

function namesIn(text: string, secrets: Secrets): string[] {
  return Object.entries(secrets).flatMap(([name, written]) =>
    written.some((form) => text.includes(form)) ? [name] : [],
  );
}

/** The files of a laptop that hold a secret: path, mode, and which. Also what is not on its disk: /run, /tmp, the journal. */
async function holders(laptop: Laptop, secrets: Secrets, worldDir: string): Promise<string[]> {
  const written = (await laptop.changes()).flatMap((line) => /^(\S+) file /u.exec(line)?.[1] ?? []);
  const volatile = await Promise.all(
    ['/run', '/tmp', '/dev/shm', '/var/log/fake-journal'].map((folder) => filesBelow(laptop, folder)),
  );
  const found: string[] = [];
  for (const file of [...written, ...volatile.flat()]) {
    // The keys themselves lie in the world's folder; and a clone below /tmp shows this very file, with the PIN in it.
    if (file === TRACE || file.startsWith(`${worldDir}/`) || file.startsWith(`${REPOSITORY}/`)) continue;
    const seen = laptop.path(file);
    const names = namesIn(await readFile(seen, 'latin1').catch(() => ''), secrets);
    if (names.length === 0) continue;
    const stat = await lstat(seen).catch(() => undefined); // dpkg and the agent are at work
    if (stat === undefined) continue;
    const mode = (stat.mode & 0o7777).toString(8).padStart(4, '0');
    found.push(`${file} ${mode}: ${names.join(', ')}`);
  }
  return found.sort();
}

async function filesBelow(laptop: Laptop, folder: string): Promise<string[]> {
  const entries = await readdir(laptop.path(folder), { withFileTypes: true }).catch(() => []);
  const below = await Promise.all(
    entries.map((entry) => {
      const file = `${folder}/${entry.name}`;
      if (entry.isDirectory()) return filesBelow(laptop, file);
      return Promise.resolve(entry.isFile() ? [file] : []);
    }),
  );
  return below.flat();
}
