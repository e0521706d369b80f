import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { KiwiError } from '../../src/core/errors.ts';
import { MINIMAL_ENVIRONMENT } from '../../src/programs/minimal-environment.ts';
import { runProgram } from '../../src/programs/run-program.ts';
import type { Runtime, System } from './find-runtime.ts';

const PROJECT = path.join(import.meta.dirname, '../..');
const CONFIGURATION = path.join(PROJECT, 'electron-builder.yml');
/** How electron-builder is asked for each system, and the folder that it makes. */
const TARGETS: Readonly<Record<System, { args: readonly string[]; folder: string }>> = {
  linux: { args: ['--linux', 'dir', '--x64'], folder: 'linux-unpacked' },
  windows: { args: ['--win', 'dir', '--x64'], folder: 'win-unpacked' },
  macos: { args: ['--mac', 'dir', '--arm64'], folder: 'mac-arm64' },
};
/** The fuse that younger versions of Electron have, and the first of them. electron-builder fails where a fuse is missing. */
const YOUNGEST_FUSE = /^ {2}grantFileProtocolExtraPrivileges: .*\n/mu;
const YOUNGEST_FUSE_SINCE = 29;

export interface Packing {
  readonly runtime: Runtime;
  /** An empty folder. */
  readonly work: string;
  readonly version: string;
  readonly epochSeconds: number;
}

export interface Packed {
  /** The folder that electron-builder made. */
  readonly packed: string;
  /** The folder of what it packed. */
  readonly window: string;
}

/** Builds the window and has electron-builder pack it with a given Electron. */
export async function packWindow({ runtime, work, version, epochSeconds }: Packing): Promise<Packed> {
  const app = path.join(work, 'window');
  const output = path.join(work, 'packed');
  const home = path.join(work, 'home');
  await mkdir(home, { recursive: true });
  // electron-builder looks for certificates, tokens and mirrors in its environment, and writes to its home.
  const env = { ...MINIMAL_ENVIRONMENT, HOME: home, SOURCE_DATE_EPOCH: epochSeconds.toString() };
  await run(['installers/build/desktop.ts', '--out', app, '--version', version], env);

  const configuration = path.join(work, 'electron-builder.json');
  await writeFile(path.join(work, 'electron-builder.yml'), await configurationFor(runtime));
  const extending = {
    extends: path.join(work, 'electron-builder.yml'),
    directories: { app, output, buildResources: path.join(PROJECT, 'installers/desktop') },
    electronDist: runtime.folder,
    electronVersion: runtime.version,
  };
  await writeFile(configuration, JSON.stringify(extending));
  const { args, folder } = TARGETS[runtime.system];
  const builder = path.join(PROJECT, 'node_modules/electron-builder/cli.js');
  await run([builder, ...args, '--publish', 'never', '--config', configuration], env);
  return { packed: path.join(output, folder), window: app };
}

/** Runs a script of ours or electron-builder, which writes what went wrong to stdout. */
async function run(args: readonly string[], env: Readonly<Record<string, string>>): Promise<void> {
  const program = process.execPath;
  const timeoutMs = 600_000;
  const { code, stdout, stderr } = await runProgram({
    program,
    args,
    cwd: PROJECT,
    env,
    timeoutMs,
    maxOutputBytes: 8 << 20,
  });
  if (code === 0) return;
  const said = `${stdout.toString()}${stderr.toString()}`;
  const why = /⨯ (.{1,300})/u.exec(said)?.[1] ?? said.trim().slice(-300);
  throw new KiwiError('program-failed', { detail: `${path.basename(args[0] ?? '')}: ${why}` });
}

/** The project's configuration, without the fuse that a test runtime is too old for. */
async function configurationFor({ version }: Runtime): Promise<string> {
  const text = await readFile(CONFIGURATION, 'utf8');
  return Number.parseInt(version, 10) < YOUNGEST_FUSE_SINCE ? text.replace(YOUNGEST_FUSE, '') : text;
}
