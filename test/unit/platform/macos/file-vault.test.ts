import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { FileVault } from '../../../../platform/macos/file-vault.ts';
import { systemClock } from '../../../../src/core/clock.ts';
import { SecretBytes } from '../../../../src/core/secret-bytes.ts';

// What fdesetup(8) and diskutil(8) print, by their manuals: nothing of it was recorded on a Mac.
const UUID = '5A1B2C3D-4E5F-4061-8273-94A5B6C7D8E9';
const KEY = 'ABCD-EF01-2345-6789-GHIJ-KLMN';
const plist = (key: string, value: string): string =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<plist version="1.0"><dict><key>${key}</key><string>${value}</string></dict></plist>\n`;

let root: string;
let asked: { readonly args: string; readonly input: string }[];
let active: boolean;
let vault: FileVault;
beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'kiwi-vault-'));
  await mkdir(path.join(root, 'usr/bin'), { recursive: true });
  await mkdir(path.join(root, 'usr/sbin'), { recursive: true });
  for (const tool of ['usr/bin/fdesetup', 'usr/sbin/diskutil'])
    await writeFile(path.join(root, tool), '', { mode: 0o755 });
  [asked, active] = [[], true];
  vault = new FileVault({
    root,
    clock: systemClock,
    run: ({ args, input }) => {
      const given = input instanceof SecretBytes ? input.bytes.toString() : '';
      asked.push({ args: args.join(' '), input: given });
      const said = answer(args[0] ?? '', given);
      return Promise.resolve({
        code: said === undefined ? 1 : 0,
        signal: null,
        stdout: Buffer.from(said ?? ''),
        stderr: Buffer.alloc(0),
      });
    },
  });
});
afterEach(() => rm(root, { recursive: true }));

function answer(verb: string, input: string): string | undefined {
  switch (verb) {
    case 'isactive':
      return active ? 'true\n' : undefined;
    case 'info':
      return plist('VolumeUUID', UUID);
    case 'changerecovery':
      return input.includes('<string>a &amp; &lt;b</string>') ? plist('RecoveryKey', KEY) : undefined;
    default:
      return input.includes(KEY) ? 'true\n' : 'false\n';
  }
}
const secret = (text: string): SecretBytes => new SecretBytes(Buffer.from(text));

describe("FileVault's recovery key", () => {
  it('is made by the system, given what opens the disk on stdin', async () => {
    const { volume, key } = await vault.make(secret('a & <b'));
    expect([volume, key.bytes.toString()]).toEqual([{ kind: 'filevault', uuid: UUID.toLowerCase() }, KEY]);
    expect([await vault.opens(volume, key), await vault.opens(volume, secret('other'))]).toEqual([true, false]);
    expect(asked.map(({ args }) => args).join(' ')).not.toMatch(/ABCD|<b/u);
  });

  it('is not made where FileVault is off, or by what does not open it', async () => {
    await expect(vault.make(secret('wrong'))).rejects.toMatchObject({ code: 'program-failed' });
    active = false;
    await expect(vault.make(secret('a & <b'))).rejects.toMatchObject({ code: 'disk-not-secured' });
  });
});
