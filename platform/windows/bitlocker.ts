import { KiwiError } from '../../src/core/errors.ts';
import { SecretBytes } from '../../src/core/secret-bytes.ts';
import type { SystemRecoveryKey } from '../../src/laptop/system/system-recovery-key.ts';
import type { EncryptedVolume } from '../../src/protocol/disk-escrow.ts';
import { runTool, runToolChecked, type WindowsSystem } from './system.ts';

const DRIVE = 'C:';
const GUID = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}';
/** Eight groups of six digits. The words around it are in the language of Windows. */
const PASSWORD = /(?:\d{6}-){7}\d{6}/u;

/** BitLocker's numerical passwords, by manage-bde. Nobody has seen it work (docs/platforms.md). */
export class BitLocker implements SystemRecoveryKey {
  readonly #system: WindowsSystem;

  constructor(system: WindowsSystem) {
    this.#system = system;
  }

  async isOn(): Promise<boolean> {
    // With -p the exit code says it: 0 where the drive is protected.
    const { code } = await runTool(this.#system, { name: 'manageBde', args: ['-status', DRIVE, '-p'] });
    return code === 0;
  }

  async make(): Promise<{ volume: EncryptedVolume; key: SecretBytes }> {
    if (!(await this.isOn())) throw new KiwiError('disk-not-secured', { detail: 'BitLocker is off' });
    const before = new Set(await this.#protectors());
    const said = await this.#manage(['-protectors', '-add', DRIVE, '-RecoveryPassword']);
    const password = PASSWORD.exec(said)?.[0];
    const protector = (await this.#protectors()).find((id) => !before.has(id));
    if (password === undefined || protector === undefined) {
      throw new KiwiError('program-failed', { detail: 'manage-bde does not say what it has added' });
    }
    const volume: EncryptedVolume = { kind: 'bitlocker', uuid: await this.#volume(), protector };
    return { volume, key: new SecretBytes(Buffer.from(password)) };
  }

  async opens(volume: EncryptedVolume, key: SecretBytes): Promise<boolean> {
    if (volume.kind !== 'bitlocker' || volume.uuid !== (await this.#volume())) return false;
    // Windows shows an administrator the numerical passwords that it has: nothing has to be tried.
    const said = await this.#manage(['-protectors', '-get', DRIVE, '-Type', 'RecoveryPassword']);
    const after = said.split(new RegExp(`\\{${volume.protector}\\}`, 'iu'))[1] ?? '';
    return PASSWORD.exec(after)?.[0] === key.bytes.toString('latin1');
  }

  async remove(volume: EncryptedVolume): Promise<void> {
    if (volume.kind !== 'bitlocker' || !(await this.#protectors()).includes(volume.protector)) return;
    await this.#manage(['-protectors', '-delete', DRIVE, '-ID', `{${volume.protector}}`]);
  }

  async #protectors(): Promise<string[]> {
    const args = ['-protectors', '-get', DRIVE, '-Type', 'RecoveryPassword'];
    // It fails where there is none.
    const { stdout } = await runTool(this.#system, { name: 'manageBde', args });
    return [...stdout.toString('latin1').matchAll(new RegExp(`\\{(${GUID})\\}`, 'giu'))].map(([, id = '']) =>
      id.toLowerCase(),
    );
  }

  async #volume(): Promise<string> {
    const request = { name: 'mountvol', args: [DRIVE, '/L'] } as const;
    const { stdout } = await runToolChecked(this.#system, request, 'program-failed');
    const id = new RegExp(`Volume\\{(${GUID})\\}`, 'iu').exec(stdout.toString('latin1'))?.[1];
    if (id === undefined) throw new KiwiError('program-failed', { detail: `mountvol names no volume for ${DRIVE}` });
    return id.toLowerCase();
  }

  /** What it prints may hold a password, so it is in no error. */
  async #manage(args: readonly string[]): Promise<string> {
    const { code, stdout } = await runTool(this.#system, { name: 'manageBde', args });
    if (code === 0) return stdout.toString('latin1');
    throw new KiwiError('program-failed', { detail: `manage-bde ${args.slice(0, 2).join(' ')}: exit code ${code}` });
  }
}
