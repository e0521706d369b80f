import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { DAY, issueCertificate } from '../../src/pki/issue.ts';
import { generateP256 } from '../../src/pki/keys.ts';
import type { SliceConfig } from '../../src/slice/config/slice-config.ts';
import { signInSetting } from '../../src/slice/config/sign-in-setting.ts';
import type { Room } from '../lab/lab.ts';
import * as F from './domain-files.ts';
import { withServers } from './with-servers.ts';

/** Where a domain is: an address with its ports, in a room or on this machine. */
export interface DomainPlace {
  readonly address: string;
  readonly ports: { readonly ldaps: number; readonly kdc: number; readonly kadmin: number };
  /** Absent: this machine. */
  readonly room?: Room;
}

export interface DomainMaking extends DomainPlace {
  /** PEM: whose certificates laptops bind with. */
  readonly deviceRoots: string;
  /** As laptops and slice call it; the address with its ports, where they have no name for it. */
  readonly name?: string;
}

type Server = 'slapd' | 'kdc' | 'kadmind';

export const USUAL_PORTS = { ldaps: 636, kdc: 88, kadmin: 749 } as const;
export const ADA: F.Person = { uid: 'ada.lovelace', password: 'Enigma-1843', number: 20_001 };
export const GRACE: F.Person = { uid: 'grace.hopper', password: 'Cobol-1959', number: 20_002 };
export const ALAN: F.Person = { uid: 'alan.turing', password: 'Bombe-1940', number: 20_003 };
const PEOPLE = [ADA, GRACE, ALAN];
const SECRET = 'secret of the slice';
const LDAP_SERVICE = `ldap/${F.DC}`;

/**
 * A customer's domain with people: a real slapd, and a real Heimdal KDC with kadmind, which prepare-machine has only unpacked. They run on
 * this machine, or in a room of a lab.
 */
export class Domain {
  readonly dir: string;
  /** For the slice: slice.json's `directory`, its secret, and the key for kadmind. */
  readonly config: NonNullable<SliceConfig['directory']>;
  readonly secret = SECRET;
  readonly ca: string;
  readonly #place: DomainPlace;
  readonly #running = new Map<Server, ChildProcess>();

  private constructor(dir: string, { name, ...place }: DomainMaking, ca: string) {
    const { address, ports } = place;
    const [ldaps, kdc, kadmin] =
      name === undefined
        ? [ports.ldaps, ports.kdc, ports.kadmin].map((port) => `${address}:${port}`)
        : [name, name, name];
    this.dir = dir;
    this.ca = ca;
    this.#place = place;
    this.config = {
      ...{ url: `ldaps://${ldaps ?? ''}`, bindDn: F.BIND_DN, base: F.DEVICES, nameAttribute: 'cn' },
      disabled: { attribute: 'pwdAccountLockedTime', value: '000001010000Z' },
      signIn: signInSetting.parse({
        ...{ uris: [`ldaps://${ldaps ?? ''}`], base: F.SUFFIX, realm: F.REALM, kdcs: [kdc], hosts: F.HOSTS },
        domains: ['corp.example'],
        accounts: { by: 'kadmin', program: this.#file('kadmin'), principal: F.ADMINISTRATOR, server: kadmin },
      }),
    };
  }

  /** With its database, people and the slice's principal; nothing runs. */
  static async make(making: DomainMaking): Promise<Domain> {
    const dir = mkdtempSync(path.join(tmpdir(), 'kiwi-domain-'));
    const { address, ports, deviceRoots } = making;
    const [rootKey, key] = [generateP256(), generateP256()];
    const validity = { notBefore: new Date(Date.now() - DAY), notAfter: new Date(Date.now() + 30 * DAY) };
    const root = await issueCertificate({
      ...{ subject: { cn: 'Domain CA' }, key: rootKey, ca: { pathLength: 0 } },
      ...validity,
    });
    const server = await issueCertificate({
      ...{ subject: { cn: F.DC }, key, issuer: { certificate: root, key: rootKey } },
      ...{ sanDns: [F.DC], sanIps: [address], extendedKeyUsages: ['1.3.6.1.5.5.7.3.1'] },
      ...validity,
    });
    const domain = new Domain(dir, making, root.pem);
    for (const folder of ['db', 'kdc', 'work']) mkdirSync(path.join(dir, folder), { mode: 0o700 });
    domain.#write('server.crt', server.pem);
    domain.#write('server.key', key.export({ format: 'pem', type: 'pkcs8' }).toString());
    domain.#write('ca.pem', root.pem);
    domain.#write('devices.pem', deviceRoots);
    domain.#write('secret', SECRET);
    domain.#write('slapd.conf', F.slapdConf(dir));
    domain.#write('base.ldif', F.baseLdif(SECRET, PEOPLE));
    domain.#write('krb5.conf', F.krb5Conf(dir, address, ports));
    domain.#write('kadmind.acl', F.kadmindAcl);
    const [program, args] = withServers(['/usr/bin/kadmin.heimdal']);
    const quoted = [program, ...args].map((word) => `'${word.replaceAll("'", `'\\''`)}'`);
    writeFileSync(domain.#file('kadmin'), `#!/bin/sh\nexec ${quoted.join(' ')} "$@"\n`, { mode: 0o755 });
    await domain.must('/usr/sbin/slapd', ['-Ta', '-f', domain.#file('slapd.conf'), '-l', domain.#file('base.ldif')]);
    await domain.must('/usr/sbin/kstash', ['--random-key', `--key-file=${domain.#file('kdc/m-key')}`]);
    await domain.kadmin('init', '--realm-max-ticket-life=10h', '--realm-max-renewable-life=7d', F.REALM);
    for (const { uid, password } of PEOPLE)
      await domain.kadmin('add', `--password=${password}`, '--use-defaults', `${uid}@${F.REALM}`);
    for (const [name, file] of [
      [F.ADMINISTRATOR, 'admin.keytab'],
      [LDAP_SERVICE, 'ldap.keytab'],
    ] as const) {
      await domain.kadmin('add', '--random-key', '--use-defaults', name);
      await domain.kadmin('ext_keytab', `--keytab=FILE:${domain.#file(file)}`, name);
    }
    return domain;
  }

  /** For libraries of Kerberos inside. */
  get krb5Conf(): string {
    return this.#file('krb5.conf');
  }

  /** The key with which the slice is known to kadmind. */
  get adminKeytab(): Buffer {
    return readFileSync(this.#file('admin.keytab'));
  }

  /** Who has bound to the directory, and as whom, newest last. */
  get binds(): string[] {
    const text = readFileSync(this.#file('slapd.log'), 'utf8');
    return [...text.matchAll(/BIND dn="([^"]*)" mech=(\S+)/gu)].map(([, dn = '', mech = '']) => `${mech} ${dn}`);
  }

  /** Starts what does not run, and waits until it answers. */
  async start(...servers: readonly Server[]): Promise<void> {
    const { address, ports } = this.#place;
    const heimdal = '/usr/lib/heimdal-servers';
    const config = `--config-file=${this.#file('krb5.conf')}`;
    const ask = [config, `--principal=${F.ADMINISTRATOR}`, `--keytab=${this.#file('admin.keytab')}`];
    const all = {
      slapd: {
        argv: [
          '/usr/sbin/slapd',
          '-f',
          this.#file('slapd.conf'),
          '-h',
          `ldaps://${address}:${ports.ldaps}`,
          '-d',
          '256',
        ],
        answers: () => this.ldap('ldapwhoami', ''),
      },
      kdc: {
        argv: [`${heimdal}/kdc`, config, `--addresses=${address}`, `--ports=${ports.kdc}`],
        answers: () => this.ticket(F.ADMINISTRATOR, this.adminKeytab),
      },
      kadmind: {
        argv: [`${heimdal}/kadmind`, config, `--realm=${F.REALM}`, `--ports=${ports.kadmin}`],
        answers: () => this.#run('/usr/bin/kadmin.heimdal', [...ask, 'get', `default@${F.REALM}`]),
      },
    };
    // kadmind is asked with a ticket of the KDC.
    for (const server of ['slapd', 'kdc', 'kadmind'] as const) {
      if ((servers.length > 0 && !servers.includes(server)) || this.#running.has(server)) continue;
      const { argv, answers } = all[server];
      const log = openSync(this.#file(`${server}.log`), 'a', 0o600);
      const running = this.#spawn(argv, ['ignore', log, log]);
      closeSync(log);
      this.#running.set(server, running);
      for (;;) {
        const { code, said } = await answers();
        if (code === 0) break;
        if (running.exitCode !== null) throw new Error(`${server} ended: ${said}\n${this.#read(`${server}.log`)}`);
        await sleep(50);
      }
    }
  }

  async stop(...servers: readonly Server[]): Promise<void> {
    for (const [server, running] of this.#running) {
      if (servers.length > 0 && !servers.includes(server)) continue;
      this.#running.delete(server);
      if (running.exitCode !== null || running.signalCode !== null) continue;
      const ended = once(running, 'exit');
      running.kill('SIGTERM');
      await ended;
    }
  }

  async remove(): Promise<void> {
    await this.stop();
    rmSync(this.dir, { recursive: true, force: true });
  }

  /** An administrator at the KDC's own machine. @returns what it says */
  kadmin(...args: readonly string[]): Promise<string> {
    const config = [`--config-file=${this.#file('krb5.conf')}`, `--realm=${F.REALM}`];
    return this.must('/usr/bin/kadmin.heimdal', ['--local', ...config, ...args]);
  }

  /** The slice at kadmind, with its key. */
  asSlice(...args: readonly string[]): Promise<{ code: number; said: string }> {
    const config = [`--config-file=${this.#file('krb5.conf')}`, `--principal=${F.ADMINISTRATOR}`];
    const { address, ports } = this.#place;
    const server = [`--admin-server=${address}`, `--server-port=${ports.kadmin}`];
    const keytab = `--keytab=${this.#file('admin.keytab')}`;
    return this.#run('/usr/bin/kadmin.heimdal', [...config, ...server, keytab, ...args]);
  }

  /** The slice at slapd: one of OpenLDAP's programs, with LDIF. */
  ldap(
    program: 'ldapadd' | 'ldapmodify' | 'ldapsearch' | 'ldapwhoami',
    ldif: string,
    ...args: readonly string[]
  ): Promise<{ code: number; said: string }> {
    const { address, ports } = this.#place;
    const as = ['-x', '-D', F.BIND_DN, '-y', this.#file('secret'), '-H', `ldaps://${address}:${ports.ldaps}`];
    return this.#run(`/usr/bin/${program}`, [...as, ...args], ldif);
  }

  /** Somebody asks for a ticket with a keytab. @returns code 0 if they got one */
  ticket(principal: string, keytab: Uint8Array): Promise<{ code: number; said: string }> {
    writeFileSync(this.#file('work/keytab'), keytab, { mode: 0o600 });
    const files = [`--keytab=FILE:${this.#file('work/keytab')}`, `--cache=FILE:${this.#file('work/tickets')}`];
    return this.#run('/usr/bin/kinit.heimdal', ['--use-keytab', ...files, principal]);
  }

  /** Who a laptop is with its certificate, and what it sees. @returns names of people; none when it is nobody */
  async people(certificate: string, key: string): Promise<string[]> {
    const [crt, pem] = [this.#file('work/laptop.crt'), this.#file('work/laptop.key')];
    writeFileSync(crt, certificate);
    writeFileSync(pem, key, { mode: 0o600 });
    const { address, ports } = this.#place;
    const at = ['-H', `ldaps://${address}:${ports.ldaps}`, '-LLL', '-Q', '-Y', 'EXTERNAL', '-b', F.SUFFIX];
    const env = { LDAPTLS_CERT: crt, LDAPTLS_KEY: pem };
    const { said } = await this.#run('/usr/bin/ldapsearch', [...at, '(uid=*)', 'uid'], '', env);
    return [...said.matchAll(/^uid: (.+)$/gmu)].map(([, uid = '']) => uid);
  }

  /** @throws when it fails */
  async must(program: string, args: readonly string[]): Promise<string> {
    const { code, said } = await this.#run(program, args);
    if (code !== 0) throw new Error(`${program} ${args.join(' ')}: ${code}\n${said}`);
    return said;
  }

  async #run(
    program: string,
    args: readonly string[],
    input = '',
    env: Readonly<Record<string, string>> = {},
  ): Promise<{ code: number; said: string }> {
    const child = this.#spawn([program, ...args], ['pipe', 'pipe', 'pipe'], env);
    const { stdin, stdout, stderr } = child;
    let said = '';
    for (const stream of [stdout, stderr]) stream?.on('data', (chunk: Buffer) => (said += chunk.toString()));
    stdin?.on('error', () => undefined).end(input);
    const [code] = (await once(child, 'close')) as [number | null];
    return { code: code ?? -1, said };
  }

  #spawn(argv: readonly string[], stdio: StdioOptions, more: Readonly<Record<string, string>> = {}): ChildProcess {
    const [program, args] = withServers(argv);
    const env = { ...this.#env, ...more };
    return this.#place.room?.spawn([program, ...args], { stdio, env }) ?? spawn(program, args, { stdio, env });
  }

  get #env(): Readonly<Record<string, string>> {
    const files = { KRB5_CONFIG: this.#file('krb5.conf'), KRB5_KTNAME: `FILE:${this.#file('ldap.keytab')}` };
    return { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LDAPTLS_CACERT: this.#file('ca.pem'), ...files };
  }

  #file(name: string): string {
    return path.join(this.dir, name);
  }

  #read(name: string): string {
    return readFileSync(this.#file(name), 'utf8').slice(-2000);
  }

  #write(name: string, text: string): void {
    writeFileSync(this.#file(name), text, { mode: 0o600 });
  }
}
