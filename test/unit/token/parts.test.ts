import fc from 'fast-check';
import type { Module } from 'graphene-pk11';
import { describe, expect, it } from 'vitest';

import { SecretBytes } from '../../../src/core/secret-bytes.ts';
import { pivToolArguments, manageKey, ykmanArguments } from '../../../src/token/manage-key.ts';
import { hintFor } from '../../../src/token/hint-for.ts';
import { slotsOf } from '../../../src/token/host/yubikeys.ts';
import { findModule } from '../../../src/token/module-path.ts';
import { parseReaderStates } from '../../../src/token/pcscd-readers.ts';
import { PIV_SLOTS, keyIdOf, slotOf } from '../../../src/token/piv-slot.ts';
import { TokenHost } from '../../../src/token/token-host.ts';
import { FrameError, bodyLength, frameHead, openBody } from '../../../src/token/wire/frame.ts';
import { hostReply, hostRequest } from '../../../src/token/wire/messages.ts';

const ON_C = String.raw`C:\Program Files\KiwiStack Enroll\node.exe`;
const YUBICO = String.raw`\Program Files\Yubico\Yubico PIV Tool\bin`;

describe('finding libykcs11', () => {
  const machine = (platform: NodeJS.Platform, files: string[], executable = ON_C): string =>
    findModule({
      ...{ platform, executable, exists: (file) => files.includes(file) },
      ...{ list: () => ['x86_64-linux-gnu', 'python3'], look: () => undefined },
    });

  it.each([
    ['linux', '/usr/lib/x86_64-linux-gnu/libykcs11.so.2'],
    ['linux', '/usr/lib64/libykcs11.so.2'],
    ['linux', '/usr/lib/libykcs11.so'],
    ['win32', String.raw`C:${YUBICO}\libykcs11.dll`],
  ] as const)('on %s at %s', (platform, file) => {
    expect(machine(platform, [file])).toBe(file);
  });

  it('on Windows looks on the drive that it is installed on, and nowhere else', () => {
    const elsewhere = [
      'libykcs11.dll',
      String.raw`C:\Program Files\KiwiStack Enroll\libykcs11.dll`,
      String.raw`C:\Program Files (x86)\Yubico\Yubico PIV Tool\bin\libykcs11.dll`,
      String.raw`C:\Windows\System32\libykcs11.dll`,
      String.raw`D:${YUBICO}\libykcs11.dll`,
    ];
    const asked: string[] = [];
    const looked = {
      platform: 'win32',
      executable: ON_C,
      list: () => ['libykcs11.dll'],
      look: () => undefined,
    } as const;
    const exists = (file: string): boolean => {
      asked.push(file);
      return elsewhere.includes(file);
    };
    expect(() => findModule({ ...looked, exists })).toThrow(expect.objectContaining({ code: 'key-module-missing' }));
    expect(asked).toEqual([String.raw`C:${YUBICO}\libykcs11.dll`]);
    const onD = String.raw`D:\Program Files\KiwiStack Enroll\node.exe`;
    expect(machine('win32', elsewhere, onD)).toBe(String.raw`D:${YUBICO}\libykcs11.dll`);
  });

  it.each([
    ['linux', /apt install ykcs11/],
    ['darwin', /package of Yubico PIV Tool for macOS/],
    ['win32', /Yubico PIV Tool \(x64\)/],
  ] as const)('on %s says how to get it when it is missing', (platform, hint) => {
    expect(() => machine(platform, [])).toThrow(
      expect.objectContaining({ code: 'key-module-missing', hint: expect.stringMatching(hint) as string }),
    );
  });
});

describe('hints about the smart-card service', () => {
  it('are those of Windows there, and those of the code elsewhere', () => {
    expect(hintFor('key-service-down', 'win32').hint).toMatch(/"Services" of Windows, start "Smart Card"/);
    expect(hintFor('key-service-hangs', 'win32').hint).toMatch(/restart "Smart Card"/);
    expect(hintFor('key-absent', 'win32').hint).toMatch(/^Plug in your YubiKey.+"Smart Card" must not be disabled/);
    expect(hintFor('key-module-missing', 'win32').hint).toMatch(/Yubico PIV Tool \(x64\)/);
    expect(hintFor('pin-wrong', 'win32')).toEqual({});
    expect(hintFor('key-service-down', 'linux')).toEqual({});
  });

  it('are those of macOS there, which holds a YubiKey itself at times and has no service to start', () => {
    expect(hintFor('key-busy', 'darwin').hint).toMatch(
      /CryptoTokenKit.+DisabledTokens .+com\.apple\.CryptoTokenKit\.pivtoken/,
    );
    expect(hintFor('key-module-missing', 'darwin').hint).toMatch(/from yubico\.com/);
    for (const code of ['key-service-down', 'key-service-hangs'] as const) {
      expect(hintFor(code, 'darwin').hint).toMatch(/^Unplug the YubiKey.+restart this Mac/);
    }
    expect(hintFor('key-absent', 'darwin')).toEqual({});
  });
});

describe('readers of the module', () => {
  const refusing = (code: number): Module =>
    ({
      getSlots: () => {
        throw Object.assign(new Error('refused'), { name: 'Pkcs11Error', code });
      },
    }) as unknown as Module;

  it('are none without the service on Windows, which runs it only with a reader; elsewhere that is an error', () => {
    expect(slotsOf(refusing(0x30), 'win32')).toEqual([]);
    expect(() => slotsOf(refusing(0x30), 'linux')).toThrow(expect.objectContaining({ code: 'key-service-down' }));
    expect(() => slotsOf(refusing(0x6), 'win32')).toThrow(expect.objectContaining({ code: 'key-service-down' }));
  });
});

describe('slots', () => {
  it('have the key ids of libykcs11', () => {
    expect(['9a', '9c', '9d', '9e', '82', '95'].map((slot) => keyIdOf(slot as '9a'))).toEqual([1, 2, 3, 4, 5, 24]);
    expect(PIV_SLOTS.map((slot) => slotOf(keyIdOf(slot)))).toEqual(PIV_SLOTS);
    expect([0, 25, 99].map(slotOf)).toEqual([undefined, undefined, undefined]);
  });
});

describe('frames', () => {
  it('carry a message and raw bytes', () => {
    const frame = Buffer.concat([frameHead({ a: 'ü' }, 3), Buffer.of(1, 2, 3)]);
    expect(bodyLength(frame)).toBe(frame.length - 4);
    expect(openBody(frame.subarray(4))).toEqual({ message: { a: 'ü' }, raw: Buffer.of(1, 2, 3) });
  });

  it('are refused when too long, too short, or not JSON, with nothing but a FrameError', () => {
    expect(() => bodyLength(Buffer.of(0, 0, 0, 3))).toThrow(FrameError);
    expect(() => bodyLength(Buffer.of(0, 0x10, 0, 1))).toThrow(FrameError);
    expect(() => frameHead('x'.repeat(1 << 20), 0)).toThrow(FrameError);
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 4 }), (bytes) => {
        try {
          openBody(Buffer.from(bytes));
        } catch (error) {
          expect(error).toBeInstanceOf(FrameError);
        }
      }),
    );
  });

  it('hold only known messages with known fields', () => {
    expect(hostRequest.safeParse({ op: 'presence', more: 1 }).success).toBe(false);
    expect(hostRequest.safeParse({ op: 'export-key' }).success).toBe(false);
    expect(hostReply.safeParse({ ok: false, code: 'no-such-code', detail: '' }).success).toBe(false);
  });
});

describe("pcscd's readers", () => {
  const record = (name: string, state: number, sharing: number): Buffer => {
    const bytes = Buffer.alloc(184);
    bytes.write(name);
    bytes.writeUInt32LE(state, 132);
    bytes.writeInt32LE(sharing, 136);
    return bytes;
  };

  it('are read from its answer', () => {
    const answer = Buffer.concat([record('A', 0x34, -1), record('B', 0x2, 0), Buffer.alloc(14 * 184)]);
    expect(parseReaderStates(answer)).toEqual([
      { reader: 'A', cardPresent: true, exclusive: true },
      { reader: 'B', cardPresent: false, exclusive: false },
    ]);
  });

  it('are unknown when the answer has another form', () => {
    expect(parseReaderStates(Buffer.alloc(10))).toBeUndefined();
  });
});

describe('the tools that hold the management key', () => {
  const at = { serial: 7, reader: 'Yubico 00', slot: '9c' } as const;
  const generate = { ...at, act: 'generate', pinPolicy: 'always', touchPolicy: 'always' } as const;

  it('get everything but the key in their arguments', () => {
    expect(ykmanArguments(generate).join(' ')).toBe(
      '--device 7 piv keys generate --algorithm ECCP256 --pin-policy ALWAYS --touch-policy ALWAYS 9c -',
    );
    expect(ykmanArguments({ ...at, act: 'import', file: '/f' }).join(' ')).toBe(
      '--device 7 piv certificates import 9c /f',
    );
    expect(pivToolArguments(generate)).toEqual([
      ...['--reader', '@Yubico 00', '--slot', '9c', '--key', '--stdin-input', '--action', 'generate'],
      ...['--algorithm', 'ECCP256', '--pin-policy=always', '--touch-policy=always'],
    ]);
  });

  it.each(['', 'xyz', '0'.repeat(47), 'g'.repeat(48), '0'.repeat(47) + '\n'])('refuse %j as a key', async (text) => {
    const key = new SecretBytes(Buffer.from(text));
    await expect(manageKey(generate, key)).rejects.toMatchObject({ code: 'management-key-refused' });
  });
});

describe('the token host', () => {
  it('reports every time that the module cannot be loaded', async () => {
    const host = new TokenHost('/no/such/libykcs11.so', process.execPath);
    const missing = { code: 'key-module-missing', detail: '/no/such/libykcs11.so cannot be loaded' };
    await expect(host.ask({ op: 'presence' })).rejects.toMatchObject(missing);
    await expect(host.ask({ op: 'read' })).rejects.toMatchObject(missing);
    await host.close();
  });

  it('is started again after it was killed by an abort', async () => {
    const host = new TokenHost('/no/such/libykcs11.so', process.execPath);
    const abort = new AbortController();
    const asking = host.ask({ op: 'presence' }, { signal: abort.signal });
    setTimeout(() => abort.abort(), 20);
    await expect(asking).rejects.toMatchObject({ name: 'AbortError' });
    await expect(host.ask({ op: 'presence' })).rejects.toMatchObject({ code: 'key-module-missing' });
    await host.close();
    await host.close();
  });

  it('that is no token host is an error, not a hang', async () => {
    const host = new TokenHost('/no/such/libykcs11.so', '/bin/true');
    await expect(host.ask({ op: 'presence' })).rejects.toMatchObject({ code: 'key-fault' });
    await host.close();
  });

  it('that is not there is an error', async () => {
    const host = new TokenHost('/no/such/libykcs11.so', '/no/such/node');
    await expect(host.ask({ op: 'presence' })).rejects.toMatchObject({ code: 'tool-missing' });
    await expect(host.ask({ op: 'presence' })).rejects.toMatchObject({ code: 'tool-missing' });
    await host.close();
  });
});
