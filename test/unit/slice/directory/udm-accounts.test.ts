import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { udmAccounts } from '../../../../src/slice/directory/udm-accounts.ts';
import { issueCertificate, DAY } from '../../../../src/pki/issue.ts';
import { generateP256 } from '../../../../src/pki/keys.ts';

interface Computer {
  readonly dn: string;
  readonly properties: Record<string, unknown>;
}

const POSITION = 'cn=laptops,cn=computers,dc=corp,dc=example';
const OWNER = { deviceId: '8c2e4cb5-6a1c-4b43-9a5e-07c3a4a1c001', hostName: 'anna-laptop' };
const OTHER = { ...OWNER, deviceId: '11111111-6a1c-4b43-9a5e-07c3a4a1c001' };

/** The REST API of Univention's Directory Manager, as its documentation shows it: HAL, Basic, templates, DNs in paths. */
class StandInUdm {
  readonly computers = new Map<string, Computer>();
  readonly asked: string[] = [];
  refuses = 0;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<{ udm: StandInUdm; url: string; ca: string }> {
    const key = generateP256();
    const validity = { notBefore: new Date(Date.now() - DAY), notAfter: new Date(Date.now() + DAY) };
    const certificate = await issueCertificate({
      ...{ subject: { cn: 'udm' }, key, sanIps: ['127.0.0.1'], extendedKeyUsages: ['1.3.6.1.5.5.7.3.1'] },
      ...validity,
    });
    const pair = { cert: certificate.pem, key: key.export({ format: 'pem', type: 'pkcs8' }) };
    const server = createServer(pair);
    const udm = new StandInUdm(server);
    server.on('request', (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const { status, body } = udm.answer(
          request.method ?? '',
          request.url ?? '',
          request.headers,
          Buffer.concat(chunks),
        );
        response.writeHead(status, { 'content-type': 'application/json' });
        response.end(body === undefined ? '' : JSON.stringify(body));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    return { udm, url: `https://127.0.0.1:${port}/univention/udm`, ca: certificate.pem };
  }

  answer(
    method: string,
    url: string,
    headers: Readonly<Record<string, string | string[] | undefined>>,
    body: Buffer,
  ): { status: number; body?: unknown } {
    this.asked.push(`${method} ${url}`);
    if (this.refuses > 0) return { status: this.refuses, body: { error: { code: this.refuses, title: 'no' } } };
    const basic = `Basic ${Buffer.from('kiwistack:the password').toString('base64')}`;
    if (headers['authorization'] !== basic) return { status: 401 };
    if (headers['accept'] !== 'application/json') return { status: 406 };
    const at = '/univention/udm/computers/linux/';
    if (!url.startsWith(at)) return { status: 404 };
    const [path = '', query = ''] = url.slice(at.length).split('?');
    if (method === 'GET' && path === 'add') {
      const properties = { name: null, domain: null, inventoryNumber: [], groups: [] };
      return { status: 200, body: { position: 'cn=computers', options: { kerberos: true }, policies: {}, properties } };
    }
    if (method === 'GET' && path === '') {
      const name = new URLSearchParams(query).get('query[name]');
      const of = [...this.computers.values()].filter(({ properties }) => properties['name'] === name);
      return { status: 200, body: { _embedded: { 'udm:object': of }, results: of.length } };
    }
    if (method === 'POST' && path === '') {
      const said = JSON.parse(body.toString()) as { position: string; properties: Record<string, unknown> };
      const dn = `cn=${String(said.properties['name'])},${said.position}`;
      if (this.computers.has(dn)) return { status: 422 };
      // It never gives a password out.
      this.computers.set(dn, { dn, properties: { ...said.properties } });
      return { status: 201, body: { dn } };
    }
    const dn = decodeURIComponent(path);
    if (method === 'DELETE') return { status: this.computers.delete(dn) ? 204 : 404 };
    return { status: 405 };
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

let udm: StandInUdm;
let accounts: ReturnType<typeof udmAccounts>;
beforeEach(async () => {
  const started = await StandInUdm.start();
  udm = started.udm;
  accounts = udmAccounts({
    ...{ url: started.url, ca: started.ca, user: 'kiwistack', password: 'the password', position: POSITION },
    ...{ hosts: 'corp.example', realm: 'CORP.EXAMPLE', now: () => Date.UTC(2026, 10, 27) },
  });
});
afterEach(() => udm.stop());

const DN = `cn=anna-laptop,${POSITION}`;

describe('the accounts of laptops in Univention’s directory', () => {
  it('are computers with a password that nobody keeps, and a keytab that is made from it', async () => {
    const keytab = await accounts.make(OWNER);
    expect(keytab.toString('latin1')).toContain('anna-laptop.corp.example');
    const properties: Record<string, unknown> = udm.computers.get(DN)?.properties ?? {};
    expect(properties).toMatchObject({
      ...{ name: 'anna-laptop', domain: 'corp.example', inventoryNumber: [] },
      description: `KiwiStack device ${OWNER.deviceId}`,
    });
    expect(String(properties['password'])).toMatch(/^[\w-]{43}$/u);
    expect(accounts.principal(OWNER)).toBe('host/anna-laptop.corp.example@CORP.EXAMPLE');
    expect(udm.asked.join('\n')).not.toContain(String(properties['password']));
  });

  it('are made anew when a laptop asks again, and when its name is another device’s now', async () => {
    const first = await accounts.make(OWNER);
    expect((await accounts.make(OWNER)).equals(first)).toBe(false);
    await accounts.make(OTHER);
    expect([...udm.computers.keys()]).toEqual([DN]);
    await accounts.remove(OWNER);
    expect(udm.computers.size).toBe(1);
    await accounts.remove(OTHER);
    await accounts.remove(OTHER);
    expect(udm.computers.size).toBe(0);
  });

  it('are refused to a laptop that calls itself as a server does', async () => {
    udm.computers.set(DN, { dn: DN, properties: { name: 'anna-laptop', description: 'the file server' } });
    await expect(accounts.make(OWNER)).rejects.toMatchObject({ code: 'directory-unavailable' });
    await accounts.retireKey(OWNER);
    expect(udm.computers.get(DN)?.properties['description']).toBe('the file server');
  });

  it.each([401, 403, 500])('say that the directory refuses with %i, without the password', async (status) => {
    udm.refuses = status;
    const error: unknown = await accounts.make(OWNER).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'directory-unavailable',
      detail: expect.stringContaining(String(status)) as string,
    });
    expect(JSON.stringify(error)).not.toContain('the password');
  });

  it('say that the directory is away', async () => {
    await udm.stop();
    await expect(accounts.make(OWNER)).rejects.toMatchObject({ code: 'directory-unavailable' });
  });
});
