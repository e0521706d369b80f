import { createPrivateKey } from 'node:crypto';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { connect as connectSocket } from 'node:net';
import { connect } from 'node:tls';

import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { sliceNotices } from '../../../src/slice/config/slice-notices.ts';
import { askReload, askStatus } from '../../../src/slice/run/control-socket.ts';
import { parseCertificate, type Certificate } from '../../../src/pki/certificate.ts';
import { DAY, issueCertificate } from '../../../src/pki/issue.ts';
import { generateP256 } from '../../../src/pki/keys.ts';
import { EKU } from '../../../src/pki/roles.ts';
import { startTestSlice, type TestSlice } from '../../fakes/slice/test-slice.ts';

const NAME = 'enroll.acme.example';

let slice: TestSlice;
const said: string[] = [];
beforeAll(async () => {
  const log = pino({ level: 'info' }, { write: (line: string) => void said.push(line) });
  slice = await startTestSlice({ log });
});
afterAll(() => slice.remove());
beforeEach(() => {
  said.length = 0;
});

interface Wish {
  readonly name?: string;
  readonly until?: Date;
}

/** A certificate under the web CA that the laptops of these tests trust. */
async function issue({ name = NAME, until = new Date(Date.now() + 90 * DAY) }: Wish = {}) {
  const { webCa } = slice.paths;
  const issuer = {
    certificate: parseCertificate(await readFile(webCa.certificate, 'utf8')),
    key: createPrivateKey(await readFile(webCa.key)),
  };
  const key = generateP256();
  const leaf = await issueCertificate({
    ...{ subject: { cn: name }, key, issuer, notBefore: new Date(Date.now() - 2 * DAY), notAfter: until },
    ...{ extendedKeyUsages: [EKU.serverAuth], sanDns: [name] },
  });
  return { leaf, key: key.export({ type: 'pkcs8', format: 'pem' }) };
}

async function put(pair: { leaf: Certificate; key: string | Buffer }): Promise<void> {
  await writeFile(slice.paths.gateway.tlsCertificate, pair.leaf.pem, { mode: 0o600 });
  await writeFile(slice.paths.gateway.tlsKey, pair.key, { mode: 0o600 });
}

/** What a new handshake gets, as a hash. */
function served(): Promise<string> {
  return new Promise((resolve, reject) => {
    const { port } = slice.running.listen;
    const socket = connect({ port, host: '127.0.0.1', servername: NAME, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().raw.toString('hex'));
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

const socketFile = (): string => slice.paths.run.controlSocket;
const reload = (): Promise<void> => askReload(socketFile());

describe('the web certificate of a running gateway', () => {
  test('is replaced without an interruption, and the audit says so', async () => {
    const { port } = slice.running.listen;
    const open = connect({ port, host: '127.0.0.1', servername: NAME, rejectUnauthorized: false });
    await new Promise((resolve) => open.once('secureConnect', resolve));
    const before = await served();
    const pair = await issue();
    await put(pair);
    expect(await served()).toBe(before);
    const { config } = slice.running.context;
    const notices = async () =>
      sliceNotices(slice.paths, config, new Date(), (await askStatus(socketFile()))?.web ?? { certificate: '' });
    expect(await notices()).toMatchObject([{ code: 'web-certificate-waits', failing: false }]);
    await reload();
    expect(await served()).toBe(pair.leaf.der.toString('hex'));
    expect(await notices()).toEqual([]);
    // The connection that was open goes on.
    const answered = new Promise<string>((resolve) => open.once('data', (chunk: Buffer) => resolve(chunk.toString())));
    open.write(`GET /healthz HTTP/1.1\r\nhost: ${NAME}\r\nconnection: close\r\n\r\n`);
    expect(await answered).toContain('200 OK');
    open.destroy();
    const [entry] = await slice.running.context.registry.listAudit(1);
    expect(entry).toMatchObject({
      action: 'gateway.certificate',
      why: expect.stringContaining('valid until') as string,
    });
  });

  const second = generateP256().export({ type: 'pkcs8', format: 'pem' });
  test.each([
    ['whose key is another one', async () => ({ ...(await issue()), key: second }), 'not the key of the certificate'],
    ['that has expired', () => issue({ until: new Date(Date.now() - DAY) }), 'expired on'],
    ['for another name', () => issue({ name: 'other.example' }), `not for ${NAME}`],
    ['with a key that is none', async () => ({ ...(await issue()), key: 'x' }), 'not the key'],
  ])('is kept when there is one %s; log and status say why', async (_, make, why) => {
    const good = await issue();
    await put(good);
    await reload();
    await put(await make());
    await expect(reload()).rejects.toMatchObject({
      code: 'file-unusable',
      detail: expect.stringContaining(why) as string,
    });
    expect(await served()).toBe(good.leaf.der.toString('hex'));
    const refused = said.map((line) => JSON.parse(line) as { level: number; why?: string; msg: string });
    expect(refused.at(-1)).toMatchObject({ level: 50, msg: expect.stringContaining('the old one stays') as string });
    const status = await askStatus(socketFile());
    expect(status?.web.refused).toContain(why);
    const [notice] = await sliceNotices(slice.paths, slice.running.context.config, new Date(), status?.web);
    expect(notice).toMatchObject({ code: 'web-certificate-waits', text: expect.stringContaining(why) as string });
    await put(good);
    await reload();
    expect((await askStatus(socketFile()))?.web.refused).toBeUndefined();
  });
});

describe('the control socket', () => {
  const send = (text: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const socket = connectSocket(socketFile());
      let answer = '';
      socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
      socket.on('error', reject).on('close', () => resolve(answer));
      socket.end(text);
    });

  test('is its owner’s', async () => {
    expect((await stat(socketFile())).mode & 0o777).toBe(0o600);
  });

  test.each(['fly\n', '\n', 'constructor\n', 'x'.repeat(1000)])(
    'answers %j that there is no such verb',
    async (text) => {
      expect(JSON.parse(await send(text))).toMatchObject({ error: { code: 'usage' } });
    },
  );

  test('closes what says nothing, and still serves the next', async () => {
    expect(await send('')).toBe('');
    expect(await askStatus(socketFile())).toMatchObject({ gateway: true });
  });
});
