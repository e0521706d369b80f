import { KiwiError } from '../../src/core/errors.ts';
import { SecretBytes } from '../../src/core/secret-bytes.ts';
import type { SystemRecoveryKey } from '../../src/laptop/system/system-recovery-key.ts';
import type { EncryptedVolume } from '../../src/protocol/disk-escrow.ts';
import { readPlist } from './plist.ts';
import { runTool, runToolChecked, type MacSystem } from './system.ts';

/** FileVault's personal recovery key, by fdesetup(8). Nobody has seen it work (docs/platforms.md). */
export class FileVault implements SystemRecoveryKey {
  readonly #system: MacSystem;

  constructor(system: MacSystem) {
    this.#system = system;
  }

  async isOn(): Promise<boolean> {
    const { code, stdout } = await runTool(this.#system, { name: 'fdesetup', args: ['isactive'] });
    return code === 0 && stdout.toString().trim() === 'true';
  }

  async make(opener?: SecretBytes): Promise<{ volume: EncryptedVolume; key: SecretBytes }> {
    if (opener === undefined || !(await this.isOn())) {
      throw new KiwiError('disk-not-secured', { detail: 'FileVault is off, or nothing was given that opens it' });
    }
    const input = asPassword(opener);
    try {
      const args = ['changerecovery', '-personal', '-inputplist', '-outputplist'];
      const { stdout } = await runToolChecked(this.#system, { name: 'fdesetup', args, input }, 'program-failed');
      const made = textIn(stdout.toString(), 'RecoveryKey');
      stdout.fill(0);
      return { volume: { kind: 'filevault', uuid: await this.#uuid() }, key: new SecretBytes(Buffer.from(made)) };
    } finally {
      input.clear();
    }
  }

  async opens(volume: EncryptedVolume, key: SecretBytes): Promise<boolean> {
    if (volume.kind !== 'filevault' || volume.uuid !== (await this.#uuid())) return false;
    const input = asPassword(key);
    try {
      const args = ['validaterecovery', '-inputplist'];
      const { code, stdout } = await runTool(this.#system, { name: 'fdesetup', args, input });
      return code === 0 && stdout.toString().trim() === 'true';
    } finally {
      input.clear();
    }
  }

  /** There is one, and the next one took its place. */
  remove(): Promise<void> {
    return Promise.resolve();
  }

  async #uuid(): Promise<string> {
    const args = ['info', '-plist', '/'];
    const { stdout } = await runToolChecked(this.#system, { name: 'diskutil', args }, 'program-failed');
    return textIn(stdout.toString(), 'VolumeUUID').toLowerCase();
  }
}

/** A property list with what opens the disk, put together of bytes: a text could not be cleared. */
function asPassword({ bytes }: SecretBytes): SecretBytes {
  const escaped = [...bytes].flatMap((byte) => [...(ENTITIES.get(byte) ?? Buffer.of(byte))]);
  const [head, tail] = ['<plist version="1.0"><dict><key>Password</key><string>', '</string></dict></plist>\n'];
  return new SecretBytes(Buffer.concat([Buffer.from(head), Buffer.from(escaped), Buffer.from(tail)]));
}

const ENTITIES: ReadonlyMap<number, Buffer> = new Map(
  Object.entries({ '&': '&amp;', '<': '&lt;', '>': '&gt;' }).map(([char, name]) => [
    char.charCodeAt(0),
    Buffer.from(name),
  ]),
);

/** @throws KiwiError `program-failed` */
function textIn(plist: string, key: string): string {
  let found: unknown;
  try {
    found = (readPlist(plist) as Readonly<Record<string, unknown>>)[key];
  } catch {
    // What it printed may hold a key: it is in no error.
  }
  if (typeof found === 'string') return found;
  throw new KiwiError('program-failed', { detail: `there is no ${key} in the answer` });
}
