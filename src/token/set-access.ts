import { KiwiError } from '../core/errors.ts';
import { SecretBytes } from '../core/secret-bytes.ts';
import { runProgram } from '../programs/run-program.ts';
import { FACTORY_KEY, findTool, type ManageTool } from './manage-key.ts';

/** What guards a YubiKey's PIV application. Text: digits, and hexadecimal for the management key. */
export interface AccessSecrets {
  readonly pin: SecretBytes;
  readonly puk: SecretBytes;
  readonly managementKey: SecretBytes;
}

/** Not secrets: Yubico documents them. */
const FACTORY = { pin: '123456', puk: '12345678', managementKey: FACTORY_KEY } as const;

export interface AccessRequest {
  readonly serial: number;
  /** For yubico-piv-tool, which does not select by serial. */
  readonly reader: string;
  readonly firmware: string;
  readonly secrets: AccessSecrets;
  /** By default ykman where it is installed, else yubico-piv-tool. */
  readonly tool?: ManageTool;
  readonly signal?: AbortSignal;
  /** Called when the first of them was changed: from then on the key is no new one. */
  readonly begun: () => Promise<void>;
}

/**
 * Replaces the management key, PUK and PIN of the factory, in this order: with the PIN it is done. The tools get old and new ones through stdin, never
 * as arguments.
 * @throws KiwiError `key-not-new` when one of them is not the factory's; `tool-missing`, `program-failed`
 */
export async function setAccess(request: AccessRequest): Promise<void> {
  for (const secret of ['managementKey', 'puk', 'pin'] as const) {
    await change(secret, request);
    if (secret === 'managementKey') await request.begun();
  }
}

async function change(secret: keyof AccessSecrets, request: AccessRequest): Promise<void> {
  const { serial, secrets, signal } = request;
  const { tool, program } = findTool(request.tool);
  const lines = [Buffer.from(FACTORY[secret], 'latin1'), secrets[secret].bytes, secrets[secret].bytes];
  const input = new SecretBytes(Buffer.concat(lines.flatMap((line) => [line, Buffer.from('\n')])));
  try {
    const args = (tool === 'ykman' ? ykmanArguments : pivToolArguments)(secret, request);
    const { code, stderr } = await runProgram({ program, args, input, ...(signal === undefined ? {} : { signal }) });
    if (code === 0) return;
    const said = stderr.toString('utf8').trim();
    // Neither tool has an exit code for it.
    if (/tries left|authenticat|failed verifying|blocked/iu.test(said)) {
      throw new KiwiError('key-not-new', { detail: `serial ${serial}: another ${NAMES[secret]} than the factory's` });
    }
    throw new KiwiError('program-failed', {
      detail: `${program}: ${NAMES[secret]}: exit code ${code}: ${said.slice(-200)}`,
    });
  } finally {
    input.clear();
  }
}

const NAMES = { pin: 'PIN', puk: 'PUK', managementKey: 'management key' } as const;

function ykmanArguments(secret: keyof AccessSecrets, { serial, firmware }: AccessRequest): string[] {
  const access = ['--device', String(serial), 'piv', 'access'];
  if (secret !== 'managementKey') return [...access, `change-${secret}`];
  // From 5.7 on the factory's is AES, and the FIPS series takes no other; ykman 4 would make a 3DES key.
  const [major = 0, minor = 0] = firmware.split('.').map(Number);
  const isAes = major > 5 || (major === 5 && minor >= 7);
  return [...access, 'change-management-key', ...(isAes ? ['--algorithm', 'AES192'] : [])];
}

function pivToolArguments(secret: keyof AccessSecrets, { reader }: AccessRequest): string[] {
  const common = ['--reader', `@${reader}`, '--stdin-input'];
  return secret === 'managementKey'
    ? [...common, '--action', 'set-mgm-key', '--key']
    : [...common, '--action', `change-${secret}`];
}

/**
 * Erases the PIV application of a YubiKey: keys, certificates, PIN, PUK and management key are the factory's again. With ykman alone.
 * @throws KiwiError `tool-missing`, `program-failed`
 */
export async function resetPiv(serial: number, signal?: AbortSignal): Promise<void> {
  const { program } = findTool('ykman');
  const args = ['--device', String(serial), 'piv', 'reset', '--force'];
  const { code, stderr } = await runProgram({ program, args, ...(signal === undefined ? {} : { signal }) });
  if (code !== 0)
    throw new KiwiError('program-failed', {
      detail: `${program}: reset: exit code ${code}: ${stderr.toString('utf8').trim().slice(-200)}`,
    });
}
