import path from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import type { Laptop } from '../lab/lab.ts';
import { Customer, type Seat } from '../e2e/01-enrollment/customer.ts';
import { ADA, GRACE, type Domain } from '../world/domain.ts';
import { DC, HOSTS, REALM, type Person } from '../world/domain-files.ts';
import { knows, startDomainInside } from '../world/domain-inside.ts';
import { installSignIn } from '../world/install-sign-in.ts';
import { ID_HOST, Keycloak } from '../world/keycloak.ts';
import { signInAs } from '../world/sign-in-as.ts';

let customer: Customer;
let domain: Domain;
let keycloak: Keycloak;
let ida: Seat;
/** What is to be ended, the newest first. */
const ends: (() => Promise<void>)[] = [];

beforeAll(async () => {
  customer = await Customer.create();
  ends.unshift(() => customer.destroy());
  const { world } = customer;
  domain = await startDomainInside(world);
  ends.unshift(() => domain.remove());
  const dir = path.join(world.dir, 'private', 'keycloak');
  keycloak = await Keycloak.start({ room: world.lab.inside, sliceDir: world.sliceDir, dir, domain });
  ends.unshift(() => keycloak.stop());
  ida = await customer.seat('ida', { prepare });
});
afterAll(async () => {
  for (const end of ends) await end();
});

async function prepare(laptop: Laptop): Promise<void> {
  await installSignIn(laptop);
  await knows(laptop, DC, ID_HOST);
}

/** After the page, on a line of its own. */
const WRITTEN = '\\n%{http_code} %{redirect_url}\\n';

/** A browser that opens the application, with the ticket of whoever runs it: the headers, the page, then a line with status and target. */
const browse = (...args: readonly string[]): string => {
  const words = ['--negotiate', '--user', ':', '--write-out', WRITTEN, ...args];
  return curl('--dump-header', '-', ...words, keycloak.signInUrl);
};
/** SSSD leaves one that has ended where it could get none. */
const HAS_TICKET = 'klist -s && echo "ticket: yes" || echo "ticket: no"';
/** A browser that cannot go on has not been let in. */
const curl = (...args: readonly string[]): string =>
  ['curl', '--silent', '--show-error', ...args].map(quote).join(' ') + ' 2>&1 || true';
const quote = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;

const codeIn = (said: string): string | undefined =>
  [...said.matchAll(/^302 (\S+)$/gmu)].flatMap(([, target = '']) => keycloak.codeIn(target) ?? [])[0];

/** Who the application says that somebody is, who signs in to the laptop and opens it. Undefined: nobody. */
async function whoIs(person: Person, todo = browse()): Promise<unknown> {
  const { letIn, said } = await signInAs(ida.laptop, person, todo);
  expect(letIn, said).toBe(true);
  const code = codeIn(said);
  return code === undefined ? undefined : (await keycloak.redeem(code))['preferred_username'];
}

/** Root of the laptop, who has no ticket unless `cache` is one. */
async function asRoot(script: string, cache = '/run/no-tickets'): Promise<string> {
  const env = { KRB5CCNAME: `FILE:${cache}` };
  const { stdout, stderr } = await ida.laptop.run(['/bin/sh', '-c', script], { env });
  return stdout + stderr;
}

test('a laptop that is not enrolled does not reach it', async () => {
  const said = await asRoot(browse('--connect-timeout', '2'));
  expect(said).toMatch(/^curl: \((?:7|28)\)/mu);
});

test('who signs in with name and password has a ticket, and no application asks for the password again', async () => {
  const run = await customer.world.enroll(ida.laptop, { args: ['--sign-in'] });
  expect(run.code, run.stdout + run.stderr).toBe(0);
  const { letIn, said } = await signInAs(ida.laptop, ADA, `${browse()}; klist; ${HAS_TICKET}`);
  expect(letIn, said).toBe(true);
  expect(said).toContain(`${ADA.uid}\n/home/${ADA.uid}\n`);
  expect(said).toContain(`krbtgt/${REALM}@${REALM}`);
  expect(said).toContain('ticket: yes');
  expect(said).toContain(`HTTP/${ID_HOST}@`);
  expect(await keycloak.redeem(codeIn(said) ?? expect.unreachable(said))).toMatchObject({
    preferred_username: ADA.uid,
    email: `${ADA.uid}@corp.example`,
  });
});

test('another person at the same laptop is another person', async () => {
  expect(await whoIs(GRACE)).toBe(GRACE.uid);
  expect(await whoIs(ADA)).toBe(ADA.uid);
});

test('what counts is the ticket, not the account that shows it', async () => {
  const asGrace = `export KRB5CCNAME=FILE:$(mktemp); echo ${GRACE.password} | kinit ${GRACE.uid}; ${browse()}; kdestroy`;
  expect(await whoIs(ADA, asGrace)).toBe(GRACE.uid);
});

test('the key of the laptop is a ticket for nobody', async () => {
  const [device] = await customer.liveDevicesOf(ida.serial);
  const principal = `host/${device?.id ?? ''}.${HOSTS}@${REALM}`;
  const asLaptop = `kinit -k -t /etc/sssd/kiwistack.keytab ${principal} && klist; ${browse()}; klist`;
  const said = await asRoot(asLaptop, '/run/laptop-tickets');
  expect(said).toContain(`Default principal: ${principal}`);
  expect(said).toContain(`HTTP/${ID_HOST}@`);
  expect(codeIn(said), said).toBeUndefined();
});

test('without a ticket there is a page that asks for the password, and the KDC says whether it is right', async () => {
  const jar = ['--cookie', '/run/jar', '--cookie-jar', '/run/jar'];
  expect(await whoIs(ADA, `kdestroy; ${browse()}`)).toBeUndefined();
  const refused = await asRoot(browse(...jar));
  expect(refused).toMatch(/^HTTP\S+ 401/mu);
  expect(refused).toMatch(/^www-authenticate: negotiate\r?$/imu);
  const answer = (page: string, ...fields: readonly string[]): Promise<string> => {
    const to = /action="([^"]+)"/iu.exec(page)?.[1]?.replaceAll('&amp;', '&') ?? expect.unreachable(page);
    const data = fields.flatMap((field) => ['--data-urlencode', field]);
    return asRoot(curl('--write-out', WRITTEN, ...jar, '--request', 'POST', ...data, to));
  };
  const form = await answer(refused);
  expect(form).toContain('name="password"');
  const again = await answer(form, `username=${ADA.uid}`, 'password=Enigma-1844');
  expect(codeIn(again), again).toBeUndefined();
  const said = await answer(again, `username=${ADA.uid}`, `password=${ADA.password}`);
  const code = codeIn(said) ?? expect.unreachable(said);
  expect(await keycloak.redeem(code)).toMatchObject({ preferred_username: ADA.uid });
});

test('offline there is a sign-in from the cache, without a ticket; online again, with one', async () => {
  const link = (to: 'up' | 'down') => ida.laptop.run(['/sbin/ip', 'link', 'set', 'eth0', to]);
  const { stdout: routes } = await ida.laptop.run(['/sbin/ip', 'route', 'show', 'default']);
  await signInAs(ida.laptop, ADA, 'kdestroy');
  await link('down');
  try {
    const { letIn, said } = await signInAs(ida.laptop, ADA, `${HAS_TICKET}; ${browse('--connect-timeout', '2')}`);
    expect(letIn, said).toBe(true);
    expect(said).toContain('ticket: no');
    expect(said).toMatch(/^curl: \(/mu);
  } finally {
    await link('up');
    await ida.laptop.run(['/sbin/ip', 'route', 'replace', ...routes.trim().split(/\s+/u)]);
  }
  await expect.poll(() => whoIs(ADA)).toBe(ADA.uid);
});

test('a ticket outlives the enrollment, and leads nowhere any more', async () => {
  const ticket = `/tmp/krb5cc_${ADA.number}`;
  expect(await whoIs(ADA)).toBe(ADA.uid);
  expect(codeIn(await asRoot(browse(), ticket))).toBeDefined();
  const run = await customer.world.cli(ida.laptop, ['uninstall', '--json']);
  expect(run.code, run.stdout + run.stderr).toBe(0);
  const said = await asRoot(`${HAS_TICKET}; ${browse('--connect-timeout', '2')}`, ticket);
  expect(said).toContain('ticket: yes');
  expect(said).toMatch(/^curl: \((?:7|28)\)/mu);
});
