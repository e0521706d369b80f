import { connect, type TLSSocket } from 'node:tls';
import { readFileSync } from 'node:fs';
import path from 'node:path';

import { expect, test } from 'vitest';

import { generateP256 } from '../../../../src/pki/keys.ts';
import { publicError } from '../../../../src/protocol/error.ts';
import { MEDIA } from '../../../../src/protocol/common.ts';
import { slicePaths } from '../../../../src/slice/config/slice-paths.ts';
import { ProtocolClient } from '../../../world/protocol-client.ts';
import type { Siege } from '../siege.ts';

const NAME = 'enroll.acme.example';

/** Clients that never finish their request. */
export class SlowClients {
  readonly count = 60;
  readonly #closed: Promise<number>[] = [];
  readonly #sockets: TLSSocket[] = [];

  async connect(siege: Siege): Promise<void> {
    const began = performance.now();
    for (let n = 0; n < this.count; n++) {
      const socket = await open(siege);
      this.#sockets.push(socket);
      socket.write(n % 2 === 0 ? HALF_A_HEADER : HALF_A_BODY);
      this.#closed.push(new Promise((resolve) => socket.once('close', () => resolve(performance.now() - began))));
    }
  }

  /** Resolves when the gateway has closed all of them, with the longest time that one lived, milliseconds. */
  async closed(): Promise<number> {
    return Math.max(...(await Promise.all(this.#closed)));
  }

  stop(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}

/** Too many, or not quite HTTP: others are served meanwhile. */
export function describeFloods(siege: () => Siege): void {
  test('too many requests from one address → too-many-requests, and others are served', async () => {
    const before = await siege().snapshot();
    const room = await siege().world.lab.addRoom({ name: 'crowd' });
    const socketPath = path.join(siege().world.dir, 'crowd.sock');
    await siege().relay(room, `unix:${socketPath}`, `${siege().world.slice.address}:443`);
    const { webCa, msp } = slicePaths(siege().world.sliceDir);
    const crowd = new ProtocolClient({
      gatewayUrl: `https://${NAME}`,
      webCaFile: webCa.certificate,
      rootFile: msp.certificate,
      socketPath,
    });
    const codes = new Set<string>();
    for (let round = 0; round < 60 && !codes.has('hello too-many-requests'); round++) {
      const answers = await Promise.all(Array.from({ length: 50 }, () => crowd.send('GET', '/healthz', '', undefined)));
      for (const { status, code } of answers) codes.add(code ?? String(status));
      const { code } = await crowd.sendHello(crowd.helloFor(generateP256()));
      if (code !== undefined) codes.add(`hello ${code}`);
    }
    expect([...codes].sort()).toEqual(['200', 'hello too-many-requests', 'too-many-requests']);
    expect((await siege().client.sendHello(siege().client.helloFor(generateP256()))).status).toBe(200);
    expect(await siege().snapshot()).toBe(before);
    await crowd.close();
  });

  test.each([
    ['two lengths', `Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello`, /^HTTP\/1\.1 400 /],
    ['a length and chunks', `Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, /^HTTP\/1\.1 400 /],
    ['a length that is no number', `Content-Length: +5\r\n\r\nhello`, /^HTTP\/1\.1 400 /],
    ['headers of 100 kB', `X-A: ${'a'.repeat(100_000)}\r\n\r\n`, /^HTTP\/1\.1 413 /],
    ['ten megabytes, announced', `Content-Length: 10485760\r\n\r\n`, /^HTTP\/1\.1 413 /],
  ])('a request with %s is refused, and the connection is closed', async (_, rest, status) => {
    const socket = await open(siege());
    let answer = '';
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')));
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.write(`POST /v1/enrollments HTTP/1.1\r\nHost: ${NAME}\r\nContent-Type: ${MEDIA.json}\r\n${rest}`);
    await closed;
    expect(answer).toMatch(status);
    const { code } = publicError.parse(JSON.parse(answer.split('\r\n\r\n')[1] ?? ''));
    expect(code).toMatch(/^request-(malformed|too-large)$/);
  });
}

const HALF_A_HEADER = `POST /v1/enrollments HTTP/1.1\r\nHost: ${NAME}\r\nX-A: `;
const HALF_A_BODY = `POST /v1/enrollments HTTP/1.1\r\nHost: ${NAME}\r\nContent-Type: application/json\r\nContent-Length: 400\r\n\r\n{`;

async function open({ gatewaySocket, world }: Siege): Promise<TLSSocket> {
  const ca = readFileSync(slicePaths(world.sliceDir).webCa.certificate);
  const socket = connect({ path: gatewaySocket, servername: NAME, ca });
  socket.on('error', () => undefined);
  await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
  return socket;
}
