import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { DEFAULT_MANAGEMENT_KEY } from '../../virtual-yubikey/key/factory-defaults.ts';
import { makeKey, type NewKeyOptions } from '../../virtual-yubikey/key/make-key.ts';
import { makeRoot } from '../../virtual-yubikey/key/make-root.ts';
import { startSandbox, type RunResult, type Sandbox, type SandboxOptions } from '../../virtual-yubikey/sandbox.ts';

export const SERIAL = 12345678;
export const PIN = '123456';
export const PUK = '12345678';
export const MANAGEMENT_KEY = DEFAULT_MANAGEMENT_KEY;
export const OPENSSL = '/usr/bin/openssl';
const PIV_TOOL = '/usr/bin/yubico-piv-tool';
const YKMAN = '/usr/bin/ykman';
const YKMAN_OF_PYPI = join(import.meta.dirname, '../../../.cache/ykman/bin/python3');
const PKCS11_TOOL = '/usr/bin/pkcs11-tool';
const triplets = ['x86_64-linux-gnu', 'aarch64-linux-gnu'];
/** Debian's unmodified module. */
export const YKCS11 =
  triplets.map((triplet) => `/usr/lib/${triplet}/libykcs11.so.2`).find((path) => existsSync(path)) ?? 'libykcs11.so.2';

type KeyChoice = Omit<NewKeyOptions, 'statePath' | 'rootDirectory'>;
/** A command's outcome with both streams in one text, as a person sees it. */
export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly text: string;
}

/** ykman of Debian 12 and of PyPI (which installers/prepare-machine.sh puts into .cache), by the version each is of. */
export const YKMANS: readonly (readonly [string, readonly string[]])[] = [
  ['4.0.9', [YKMAN]],
  ['5.9.2', [YKMAN_OF_PYPI, '-m', 'ykman._cli']],
];

/** A directory, a test root, keys, and a sandbox in which the real tools see them. */
export interface Workbench {
  readonly directory: string;
  readonly sandbox: Sandbox;
  /** Stops the reader and starts it again with the same keys. */
  restart(): Promise<void>;
  /** A path in the directory. */
  file(name: string): string;
  /** Makes another key; it is not inserted. */
  makeKey(choice: KeyChoice): string;
  run(...argv: string[]): Promise<Outcome>;
  /** yubico-piv-tool. */
  pivTool(...args: string[]): Promise<Outcome>;
  /** `ykman piv` for the key SERIAL, of Debian. */
  ykman(...args: string[]): Promise<Outcome>;
  /** pkcs11-tool with libykcs11. */
  pkcs11(...args: string[]): Promise<Outcome>;
  close(): Promise<void>;
}

/** Sets up a workbench with one inserted key for each choice. */
export async function openWorkbench(
  choices: readonly KeyChoice[] = [{ serial: SERIAL }],
  options: Omit<SandboxOptions, 'dir' | 'keys'> = {},
): Promise<Workbench> {
  const directory = mkdtempSync(join(tmpdir(), 'virtual-yubikey-'));
  const file = (name: string): string => join(directory, name);
  makeRoot(file('root'));
  const newKey = (choice: KeyChoice): string => {
    const statePath = file(`${choice.serial ?? 0}.json`);
    makeKey({ ...choice, statePath, rootDirectory: file('root') });
    return statePath;
  };
  const keys = choices.map(newKey);
  const start = (): Promise<Sandbox> => startSandbox({ dir: file('reader'), keys, ...options });
  let sandbox = await start();
  const run = async (...argv: string[]): Promise<Outcome> => outcome(await sandbox.run(argv));
  return {
    directory,
    get sandbox() {
      return sandbox;
    },
    restart: async () => {
      await sandbox.stop();
      sandbox = await start();
    },
    file,
    makeKey: newKey,
    run,
    pivTool: (...args) => run(PIV_TOOL, ...args),
    ykman: (...args) => run(YKMAN, '--device', String(SERIAL), 'piv', ...args),
    pkcs11: (...args) => run(PKCS11_TOOL, '--module', YKCS11, ...args),
    close: async () => {
      await sandbox.stop();
      rmSync(directory, { recursive: true });
    },
  };
}

/** Fails with what the tool said unless it succeeded; returns its standard output. */
export async function succeeds(running: Promise<Outcome>): Promise<string> {
  const { code, stdout, text } = await running;
  expect(code, text).toBe(0);
  return stdout;
}

/** Fails unless the tool succeeded; returns all it said, on both streams. */
export async function says(running: Promise<Outcome>): Promise<string> {
  await succeeds(running);
  return (await running).text;
}

/** Fails unless the tool failed; returns what it said. */
export async function fails(running: Promise<Outcome>): Promise<string> {
  const { code, text } = await running;
  expect(code, text).not.toBe(0);
  return text;
}

/** openssl's judgement of an attestation: chain to a test root (from firmware 5.7.4 on through two intermediates), signature, dates. */
export async function expectAttested(bench: Workbench, attestation: string, intermediate: string): Promise<void> {
  const root = bench.file('root/roots.pem');
  const verify = [OPENSSL, 'verify', '-CAfile', root, '-untrusted', intermediate, attestation];
  expect(await succeeds(bench.run(...verify))).toContain(': OK');
}

function outcome({ code, stdout, stderr }: RunResult): Outcome {
  return { code, stdout, text: `${stdout}\n${stderr}` };
}
