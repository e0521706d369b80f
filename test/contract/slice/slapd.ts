import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { vi } from 'vitest';

import type { SliceConfig } from '../../../src/slice/config/slice-config.ts';
import { DAY, issueCertificate } from '../../../src/pki/issue.ts';
import { generateP256 } from '../../../src/pki/keys.ts';
import { freePorts } from '../../fakes/slice/test-slice.ts';
import { baseLdif, BIND_DN, DEVICES, slapdConf, SUFFIX } from '../../world/domain-files.ts';
import { withServers } from '../../world/with-servers.ts';
import { endProcess } from './end-process.ts';

const SLAPD = '/usr/sbin/slapd';
/** The loader finds the folder of this machine's libraries. */
const LIBFAKETIME = '/usr/$LIB/faketime/libfaketime.so.1';
const SECRET = 'secret of the slice';
const ADA = { uid: 'ada', password: '', number: 20_001 };

/**
 * A real slapd on loopback, with entries for laptops below ou=devices and a person. Laptops bind with their device certificates (SASL
 * EXTERNAL), and a certificate is mapped to its entry only while that is not disabled: what docs/operators.md says.
 */
export class Slapd {
  readonly config: NonNullable<SliceConfig['directory']>;
  readonly secret = SECRET;
  /** PEM, of its server certificate. */
  readonly ca: string;
  readonly #dir: string;
  readonly #port: number;
  #process: ChildProcess | undefined;

  private constructor(dir: string, port: number, ca: string) {
    this.#dir = dir;
    this.#port = port;
    this.ca = ca;
    this.config = {
      ...{ url: `ldaps://127.0.0.1:${port}`, bindDn: BIND_DN, base: DEVICES, nameAttribute: 'cn' },
      disabled: { attribute: 'pwdAccountLockedTime', value: '000001010000Z' },
    };
  }

  /** @param deviceRoots PEM: whose certificates laptops bind with */
  static async make(deviceRoots: string): Promise<Slapd> {
    const dir = mkdtempSync(path.join(tmpdir(), 'kiwi-slapd-'));
    const [port = 0] = await freePorts(1);
    const [rootKey, key] = [generateP256(), generateP256()];
    const validity = { notBefore: new Date(Date.now() - DAY), notAfter: new Date(Date.now() + 30 * DAY) };
    const root = await issueCertificate({
      ...{ subject: { cn: 'Directory CA' }, key: rootKey, ca: { pathLength: 0 } },
      ...validity,
    });
    const server = await issueCertificate({
      ...{ subject: { cn: 'Directory' }, key, issuer: { certificate: root, key: rootKey } },
      ...{ sanIps: ['127.0.0.1'], extendedKeyUsages: ['1.3.6.1.5.5.7.3.1'] },
      ...validity,
    });
    const file = (name: string, text: string): void => {
      writeFileSync(path.join(dir, name), text, { mode: 0o600 });
    };
    file('server.crt', server.pem);
    file('server.key', key.export({ format: 'pem', type: 'pkcs8' }).toString());
    file('devices.pem', deviceRoots);
    file('ca.pem', root.pem);
    file('secret', SECRET);
    mkdirSync(path.join(dir, 'db'), { mode: 0o700 });
    file('slapd.conf', slapdConf(dir));
    file('base.ldif', baseLdif(SECRET, [ADA]));
    const fill = [SLAPD, '-Ta', '-f', path.join(dir, 'slapd.conf'), '-l', path.join(dir, 'base.ldif')];
    execFileSync(...withServers(fill), { stdio: 'pipe' });
    return new Slapd(dir, port, root.pem);
  }

  /** @param later its clock is set forward by so many hours */
  async start(later = 0): Promise<void> {
    // The program faketime starts another process, which a signal would not reach.
    const clock = later === 0 ? {} : { LD_PRELOAD: LIBFAKETIME, FAKETIME: `+${later}h` };
    const argv = [SLAPD, '-f', path.join(this.#dir, 'slapd.conf'), '-h', this.config.url, '-d', '0'];
    this.#process = spawn(...withServers(argv), { stdio: 'ignore', env: { ...process.env, ...clock } });
    await vi.waitFor(
      () =>
        new Promise<void>((resolve, reject) => {
          const socket = connect(this.#port, '127.0.0.1', () => resolve()).on('error', reject);
          socket.on('connect', () => socket.destroy());
        }),
      { timeout: 30_000, interval: 50 },
    );
  }

  async stop(): Promise<void> {
    const running = this.#process;
    this.#process = undefined;
    await endProcess(running);
  }

  async remove(): Promise<void> {
    await this.stop();
    rmSync(this.#dir, { recursive: true, force: true });
  }

  /** An administrator makes the entry of a laptop. */
  add(hostName: string): void {
    this.#run(
      '/usr/bin/ldapadd',
      ['-x', '-D', BIND_DN, '-y', path.join(this.#dir, 'secret')],
      `dn: cn=${hostName},${DEVICES}\nobjectClass: device\ncn: ${hostName}\n`,
    );
  }

  /** Who a laptop is with this certificate, and what it sees of people. @returns the names of the people; none when it is nobody */
  people(certificate: string, key: string): string[] {
    const [crt, pem] = [path.join(this.#dir, 'laptop.crt'), path.join(this.#dir, 'laptop.key')];
    writeFileSync(crt, certificate);
    writeFileSync(pem, key, { mode: 0o600 });
    const found = this.#run(
      '/usr/bin/ldapsearch',
      ['-LLL', '-Q', '-Y', 'EXTERNAL', '-b', SUFFIX, '(uid=*)', 'uid'],
      '',
      {
        LDAPTLS_CERT: crt,
        LDAPTLS_KEY: pem,
      },
    );
    return [...found.matchAll(/^uid: (.+)$/gmu)].map(([, uid = '']) => uid);
  }

  #run(program: string, args: readonly string[], input: string, env: Readonly<Record<string, string>> = {}): string {
    try {
      return execFileSync(...withServers([program, '-H', this.config.url, ...args]), {
        ...{ input, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] },
        env: { LDAPTLS_CACERT: path.join(this.#dir, 'ca.pem'), ...env },
      });
    } catch (error) {
      // 32: nothing is there for whoever asks. 50: no access.
      if (error instanceof Error && 'status' in error && (error.status === 32 || error.status === 50)) return '';
      throw error;
    }
  }
}
