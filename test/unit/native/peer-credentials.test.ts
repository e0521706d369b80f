import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { readPeer } from '../../../native/peer-credentials/index.ts';

const CONNECT = `import os, socket, sys, time
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
`;

let dir: string;
let file: string;
let server: Server;
beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'peer (a) b '));
  file = path.join(dir, 'socket');
  server = createServer().listen(file);
});
afterAll(async () => {
  server.close();
  await rm(dir, { recursive: true, force: true });
});

const fdOf = (socket: Socket): number => (socket as unknown as { _handle: { fd: number } })._handle.fd;

/** Runs a script that connects. @returns the pid of who connected, and the connection */
async function connection(
  script: string,
): Promise<{ pid: number; socket: Socket; end: () => void; ended: Promise<unknown> }> {
  const child = spawn('/usr/bin/python3', ['-c', CONNECT + script, file], { stdio: 'ignore' });
  const ended = new Promise((resolve) => child.once('close', resolve));
  const socket = await new Promise<Socket>((resolve) => server.once('connection', resolve));
  return { pid: child.pid ?? -1, socket, end: () => child.kill('SIGKILL'), ended };
}

describe('the peer of a Unix socket', () => {
  it('is the process that connected, with the start time that the kernel gives it', async () => {
    const { pid, socket, end } = await connection('time.sleep(600)');
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ');
    expect(readPeer(fdOf(socket))).toEqual({
      ...{ pid, startTime: stat?.[19] },
      ...{ uid: process.getuid?.(), gid: process.getgid?.() },
    });
    end();
  });

  it('is nobody when that process has ended, even while a child of it holds the connection open', async () => {
    const { socket, ended } = await connection('if os.fork() == 0: s.recv(1)');
    await ended;
    expect(readPeer(fdOf(socket))).toBeUndefined();
    socket.end('x');
  });

  it('is nobody when that process has become another user’s meanwhile', async () => {
    // Root's privilege is to become somebody else; a set-user-ID program does it the other way round.
    const { socket, end } = await connection(`
os.seteuid(65534)
s.send(b'x')
time.sleep(600)`);
    await new Promise((resolve) => socket.once('data', resolve));
    expect(readPeer(fdOf(socket))).toBeUndefined();
    end();
  });

  it('leaves no descriptor open', async () => {
    const { socket, end } = await connection('time.sleep(600)');
    const open = (): number => Number(readFileSync('/proc/self/status', 'latin1').match(/^FDSize:\s+(\d+)/mu)?.[1]);
    const before = open();
    for (let i = 0; i < 1000; i++) readPeer(fdOf(socket));
    expect(open()).toBe(before);
    end();
  });

  it('is nobody at the end of a descriptor that is no such socket', () => {
    expect(readPeer(-1)).toBeUndefined();
    expect(readPeer(1_000_000)).toBeUndefined();
  });
});
