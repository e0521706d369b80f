import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

import { afterEach, describe, expect, it } from 'vitest';

import { openRemoteToken } from './remote-token.ts';
import { OTHER, PIN, SERIAL, setUpScene, type Scene } from './set-up.ts';

let scene: Scene | undefined;

async function setUp(...args: Parameters<typeof setUpScene>): Promise<Scene> {
  return (scene = await setUpScene(...args));
}

afterEach(async () => {
  await scene?.close();
  scene = undefined;
});

describe('looking for the key', () => {
  it('waits until one is plugged in', async () => {
    const { bench, token, files } = await setUp([{}], { inserted: 0 });
    const waiting = token.until('waiting');
    const finding = token.do({ do: 'find', waitMs: 20_000 });
    await waiting;
    await bench.sandbox.control.insert(files[0] ?? '');
    const found = await finding;
    expect(found).toMatchObject({ ok: true, result: { serial: SERIAL } });
    expect(found.ms, 'before the time is over').toBeLessThan(20_000);
    expect(token.events()).toEqual([expect.stringMatching(/^waiting key-absent \(reader Yubico .*: empty\)$/)]);
  });

  it('reports when there is none in time, and stops waiting when aborted', async () => {
    const { token } = await setUp([], {});
    expect(await token.do({ do: 'find' })).toMatchObject({ code: 'key-absent' });
    const waiting = token.until('waiting');
    const finding = token.do({ do: 'find', waitMs: 60_000 });
    await waiting;
    await token.do({ do: 'abort' });
    expect(await finding).toMatchObject({ code: 'cancelled' });
  });

  it('passes over a key with a foreign certificate, and takes the right one when it comes', async () => {
    const { bench, token, files } = await setUp([{ foreign: true }, { serial: OTHER }], { inserted: 1 });
    expect(await token.do({ do: 'find' })).toMatchObject({ code: 'key-not-enrolled' });
    const waiting = token.until('waiting');
    const finding = token.do({ do: 'find', waitMs: 20_000 });
    await waiting;
    expect(token.events(), 'said at once').toEqual([`waiting key-not-enrolled (plugged in: ${SERIAL})`]);
    await bench.sandbox.control.insert(files[1] ?? '');
    expect(await finding).toMatchObject({ ok: true, result: { serial: OTHER } });
  });

  it('refuses a key whose certificate is for another key than the one in the slot', async () => {
    const { token } = await setUp([{ otherKey: true }]);
    expect(await token.do({ do: 'find' })).toMatchObject({ code: 'key-certificate-invalid' });
  });

  it('asks when there are several, and takes the one that was named', async () => {
    const { bench, token } = await setUp([{ touch: 'never' }, { serial: OTHER, customer: 'globex', touch: 'never' }]);
    expect(await token.do({ do: 'find' })).toMatchObject({ code: 'key-several' });
    expect(await token.do({ do: 'find', serial: OTHER })).toMatchObject({ result: { serial: OTHER } });
    expect(await token.do({ do: 'find', serial: 33333333 })).toMatchObject({
      code: 'key-other',
      detail: `serial 33333333 was asked for; plugged in: ${SERIAL}, ${OTHER}`,
    });
    expect(await token.do({ do: 'find', choose: OTHER })).toMatchObject({ result: { serial: OTHER } });
    expect(token.events()).toEqual([`several ${SERIAL} staff acme, ${OTHER} staff globex`]);
    expect(await token.do({ do: 'sign', pin: PIN })).toMatchObject({ ok: true });
    await bench.sandbox.control.pull(OTHER);
    expect(await token.do({ do: 'sign', pin: PIN })).toMatchObject({ code: 'key-removed' });
  });
});

describe('obstacles', () => {
  it('a program that uses the key exclusively is named as the reason', async () => {
    const { bench, token } = await setUp([{ touch: 'never' }]);
    const holder = bench.sandbox.spawn(['/usr/bin/python3', '-c', HOLD], { stdio: ['pipe', 'pipe', 'inherit'] });
    await new Promise((resolve) => holder.stdout?.once('data', resolve));
    expect(await token.do({ do: 'find' })).toMatchObject({ code: 'key-busy' });
    const waiting = token.until('waiting');
    const finding = token.do({ do: 'find', waitMs: 20_000 });
    await waiting;
    expect(token.events(), 'said at once').toEqual([expect.stringMatching(/^waiting key-busy \(the one in Yubico /)]);
    holder.stdin?.end();
    expect(await finding).toMatchObject({ ok: true });
  });

  it('a smart-card service that hangs is said at once, for no longer than the wait, and its end is noticed', async () => {
    const { bench, token } = await setUp([{ touch: 'never' }]);
    const pcscd = pcscdOf(bench.directory);
    process.kill(pcscd, 'SIGSTOP');
    const said = await token.do({ do: 'find', waitMs: 3000 });
    expect(said).toMatchObject({ code: 'key-service-hangs' });
    expect(said.ms, 'the wait and one last question').toBeLessThan(10_000);
    expect(token.events()).toEqual(['waiting key-service-hangs ()']);
    const waiting = token.until('waiting');
    const finding = token.do({ do: 'find', waitMs: 60_000 });
    await waiting;
    process.kill(pcscd, 'SIGCONT');
    expect(await finding).toMatchObject({ ok: true });
  });

  it('no pcscd', async () => {
    const hidden = 'mount -t tmpfs none /run && exec "$@"';
    const token = await openRemoteToken((argv) =>
      spawn('/usr/bin/unshare', ['--user', '--map-root-user', '--mount', '/bin/sh', '-c', hidden, 'sh', ...argv], {
        stdio: ['pipe', 'pipe', 'inherit'],
      }),
    );
    expect(await token.do({ do: 'find' })).toMatchObject({ code: 'key-service-down' });
    await token.close();
  });
});

/** The pcscd that was started with a configuration in this directory. */
function pcscdOf(directory: string): number {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const found = pids.find((pid) => {
    try {
      const [program, ...args] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      return program?.endsWith('/pcscd') === true && args.some((arg) => arg.startsWith(directory));
    } catch {
      return false; // it ended while we looked
    }
  });
  return Number(found);
}

/** What gpg-agent's scdaemon does: opens the card exclusively and keeps it. */
const HOLD = `
import sys
from smartcard.scard import *
_, context = SCardEstablishContext(SCARD_SCOPE_SYSTEM)
_, readers = SCardListReaders(context, [])
result, card, _ = SCardConnect(context, readers[0], SCARD_SHARE_EXCLUSIVE, SCARD_PROTOCOL_ANY)
print(result, flush=True)
sys.stdin.read()
SCardDisconnect(card, SCARD_LEAVE_CARD)
`;
