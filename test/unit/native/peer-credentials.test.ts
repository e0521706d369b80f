import { spawn } from 'node:child_process';
import { openSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { devNull, tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { peerCredentials } from '../../../native/peer-credentials/index.ts';

const addon = new URL('../../../native/peer-credentials/index.ts', import.meta.url).href;
/** In a process of its own, as the agent is: the connection is its standard input. */
const TELL = `const { peerCredentials } = await import('${addon}'); process.stdout.write(JSON.stringify(peerCredentials(0)));`;

let folder: string;
let server: Server;
let told: Promise<string>;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'kiwi-peer-'));
  told = new Promise((resolve) => {
    server = createServer({ pauseOnConnect: true }, (connection) => {
      const child = spawn(process.execPath, ['--input-type=module', '-e', TELL], {
        stdio: [connection, 'pipe', 'inherit'],
      });
      let text = '';
      child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
      child.once('close', () => resolve(text));
    });
  });
  await new Promise<void>((resolve) => void server.listen(path.join(folder, 's'), resolve));
});
afterAll(async () => {
  server.close();
  await rm(folder, { recursive: true, force: true });
});

describe('the process at the other end of a socket', () => {
  it('is known with its user', async () => {
    const file = path.join(folder, 's');
    const connect = `require('node:net').connect(${JSON.stringify(file)}).on('error', () => 0); setTimeout(() => 0, 20_000).unref()`;
    const caller = spawn(process.execPath, ['-e', connect], { stdio: 'ignore' });
    try {
      expect(JSON.parse(await told)).toEqual({ pid: caller.pid, uid: process.getuid?.(), gid: process.getgid?.() });
    } finally {
      caller.kill();
    }
  });

  it('is nobody where the descriptor is no connection', () => {
    expect(() => peerCredentials(openSync(devNull, 'r'))).toThrow(/no process/);
    expect(() => peerCredentials(9999)).toThrow(/no process/);
    expect(() => peerCredentials('0' as unknown as number)).toThrow(TypeError);
  });
});
