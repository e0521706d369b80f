import { existsSync } from 'node:fs';

import { KiwiError } from '../core/errors.ts';
import { SecretBytes } from '../core/secret-bytes.ts';
import { runProgram, type RunResult } from '../programs/run-program.ts';
import type { PivSlot } from './piv-slot.ts';

/** The hexadecimal text of the management key, or the factory default. */
export type ManagementKey = SecretBytes | 'default';

export type ManageRequest = {
  readonly serial: number;
  /** Name of the reader, for yubico-piv-tool, which does not select by serial. */
  readonly reader: string;
  readonly slot: PivSlot;
} & (
  | { readonly act: 'generate'; readonly pinPolicy: string; readonly touchPolicy: string }
  | { readonly act: 'import'; readonly file: string }
);

/** Not a secret: Yubico documents it. */
export const FACTORY_KEY = '010203040506070801020304050607080102030405060708';

const FOLDERS = ['/usr/bin', '/usr/local/bin', '/opt/homebrew/bin'];
const PROGRAMS = {
  ykman: FOLDERS.map((folder) => `${folder}/ykman`),
  'yubico-piv-tool': [
    ...FOLDERS.map((folder) => `${folder}/yubico-piv-tool`),
    'C:\\Program Files\\Yubico\\Yubico PIV Tool\\bin\\yubico-piv-tool.exe',
  ],
} as const;

export type ManageTool = keyof typeof PROGRAMS;

/**
 * Performs an operation that requires the management key. ykman is preferred where it is installed: it selects by serial
 * number, and supports the AES management keys of firmware 5.7, which yubico-piv-tool before 2.3.0 does not. Both get the key
 * through stdin.
 *
 * @returns what the tool printed; for `generate` the public key as PEM
 * @throws KiwiError `management-key-refused`, `tool-missing`, `program-failed`, `key-fault`
 */
export async function manageKey(
  request: ManageRequest,
  key: ManagementKey,
  options: { readonly tool?: ManageTool; readonly signal?: AbortSignal } = {},
): Promise<string> {
  const { signal } = options;
  const input = keyLine(key);
  try {
    const { tool, program } = findTool(options.tool);
    const args = tool === 'ykman' ? ykmanArguments(request) : pivToolArguments(request);
    const result = await runProgram({ program, args, input, ...(signal === undefined ? {} : { signal }) });
    if (result.code !== 0) throw failure(program, result);
    return publicKeyIn(result.stdout.toString('utf8'));
  } finally {
    input.clear();
  }
}

/** @throws KiwiError `tool-missing` */
export function findTool(wanted: ManageTool | undefined): { tool: ManageTool; program: string } {
  for (const tool of wanted === undefined ? (['ykman', 'yubico-piv-tool'] as const) : [wanted]) {
    const program = PROGRAMS[tool].find((file) => existsSync(file));
    if (program !== undefined) return { tool, program };
  }
  throw new KiwiError('tool-missing', { detail: 'ykman (package yubikey-manager) or yubico-piv-tool' });
}

export function ykmanArguments(request: ManageRequest): string[] {
  const device = ['--device', String(request.serial), 'piv'];
  if (request.act === 'import') return [...device, 'certificates', 'import', request.slot, request.file];
  const policies = [
    ...['--pin-policy', request.pinPolicy.toUpperCase()],
    ...['--touch-policy', request.touchPolicy.toUpperCase()],
  ];
  return [...device, 'keys', 'generate', '--algorithm', 'ECCP256', ...policies, request.slot, '-'];
}

export function pivToolArguments(request: ManageRequest): string[] {
  // "@" asks for exactly this reader; `--key` without a value and `--stdin-input` read the key from stdin.
  const common = ['--reader', `@${request.reader}`, '--slot', request.slot, '--key', '--stdin-input'];
  if (request.act === 'import') return [...common, '--action', 'import-certificate', '--input', request.file];
  const policies = [`--pin-policy=${request.pinPolicy}`, `--touch-policy=${request.touchPolicy}`];
  return [...common, '--action', 'generate', '--algorithm', 'ECCP256', ...policies];
}

/** The key as one line in one buffer. @throws KiwiError `management-key-refused` for what cannot be a management key */
function keyLine(key: ManagementKey): SecretBytes {
  if (key === 'default') return new SecretBytes(Buffer.from(`${FACTORY_KEY}\n`, 'latin1'));
  if (!key.bytes.every(isHexDigit) || ![32, 48, 64].includes(key.length)) {
    throw new KiwiError('management-key-refused', { detail: 'not 32, 48 or 64 hexadecimal digits' });
  }
  const line = Buffer.alloc(key.length + 1, '\n');
  key.bytes.copy(line);
  return new SecretBytes(line);
}

function isHexDigit(byte: number): boolean {
  const lower = byte | 0x20;
  return (byte >= 0x30 && byte <= 0x39) || (lower >= 0x61 && lower <= 0x66);
}

function failure(program: string, result: RunResult): KiwiError {
  const said = result.stderr.toString('utf8').trim().slice(-300);
  const detail = `${program}: exit code ${result.code}: ${said}`;
  // Neither tool has an exit code for it.
  if (/authenticat/i.test(said)) return new KiwiError('management-key-refused', { detail });
  return new KiwiError('program-failed', { detail });
}

/** Both tools also print prompts; an import prints no key. */
function publicKeyIn(text: string): string {
  return /-----BEGIN PUBLIC KEY-----[^-]+-----END PUBLIC KEY-----/.exec(text)?.[0] ?? '';
}
