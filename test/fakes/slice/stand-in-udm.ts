import type { AddressInfo } from 'node:net';
import { createServer, type Server } from 'node:https';

import { issueCertificate, DAY } from '../../../src/pki/issue.ts';
import { generateP256 } from '../../../src/pki/keys.ts';

export interface Computer {
  readonly dn: string;
  readonly properties: Record<string, unknown>;
}

/** The REST API of Univention's Directory Manager, as its documentation shows it: HAL, Basic, templates, DNs in paths. */
export class StandInUdm {
  readonly computers = new Map<string, Computer>();
  readonly asked: string[] = [];
  refuses = 0;
  /** What comes of a computer in the KDC, whose database is the directory. */
  madeKeys: (computer: Computer) => Promise<unknown> = () => Promise.resolve();
  lostKeys: (computer: Computer) => Promise<unknown> = () => Promise.resolve();
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
        const { method = '', url = '', headers } = request;
        void udm
          .answer(method, url, headers, Buffer.concat(chunks))
          .catch((error: unknown) => ({ status: 500, body: { error: { code: 500, title: String(error) } } }))
          .then(({ status, body }: { status: number; body?: unknown }) => {
            response.writeHead(status, { 'content-type': 'application/json' });
            response.end(body === undefined ? '' : JSON.stringify(body));
          });
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    return { udm, url: `https://127.0.0.1:${port}/univention/udm`, ca: certificate.pem };
  }

  async answer(
    method: string,
    url: string,
    headers: Readonly<Record<string, string | string[] | undefined>>,
    body: Buffer,
  ): Promise<{ status: number; body?: unknown }> {
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
      // It never gives a password out.
      const of = [...this.computers.values()]
        .filter(({ properties }) => properties['name'] === name)
        .map(({ dn, properties }) => ({ dn, properties: { ...properties, password: null } }));
      return { status: 200, body: { _embedded: { 'udm:object': of }, results: of.length } };
    }
    if (method === 'POST' && path === '') {
      const said = JSON.parse(body.toString()) as { position: string; properties: Record<string, unknown> };
      const dn = `cn=${String(said.properties['name'])},${said.position}`;
      if (this.computers.has(dn)) return { status: 422 };
      const computer = { dn, properties: { ...said.properties } };
      this.computers.set(dn, computer);
      await this.madeKeys(computer);
      return { status: 201, body: { dn } };
    }
    if (method !== 'DELETE') return { status: 405 };
    const gone = this.computers.get(decodeURIComponent(path));
    if (gone === undefined) return { status: 404 };
    this.computers.delete(gone.dn);
    await this.lostKeys(gone);
    return { status: 204 };
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
