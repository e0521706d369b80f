// `npm run dist`: makes what people install, for one system or for all three, and signs what it is handed out with.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { KiwiError } from '../../src/core/errors.ts';
import { readGivenFile } from '../../src/core/read-given-file.ts';
import { runScript } from '../../src/terminal/run-script.ts';
import { publishApt } from '../linux/apt-repository.ts';
import { sourceDate } from '../linux/source-date.ts';
import type { AppleKeys } from '../macos/sign-code.ts';
import type { CodeKey } from '../windows/sign-code.ts';
import { factsOf, type Artefact, type NotMade } from './artefact.ts';
import { SYSTEMS, type System } from './find-runtime.ts';
import { makePackages } from './make-packages.ts';
import type { Making } from './making.ts';
import { signManifest } from './update-manifest.ts';

const PROJECT = path.join(import.meta.dirname, '../..');
const HELP = `usage: npm run dist -- linux|windows|macos|all [options]
       npm run dist -- apt-repository --key FILE [--out DIR] [--valid-days N] DEB…
       npm run dist -- manifest --key FILE [--out FILE] [--valid-days N] [--rollout PERCENT] DEB…

Makes everything that can be made on this machine, and prints each file with its size, its SHA-256 and what vouches for it.
What cannot be made is named, with the reason; the exit code is then 6.

  --out DIR         where to write the files (default: dist)
  --msp-roots FILE  PEM file with the provider's root certificates, pinned in the agent's package
  --release-keys FILE  PEM file with the public keys of the provider's releases, pinned there too
  --version VERSION version of the packages (default: the one in package.json)

\`apt-repository\` adds packages to a signed apt repository, which it makes if there is none, and signs it anew. Without packages it
only signs anew, which has to be done before the signature's time is over.

  --key FILE        OpenPGP secret key without a passphrase (or the key itself in KIWISTACK_APT_KEY)
  --valid-days N    how long apt accepts the signature, 1 to 365 (default: 90)
  --out DIR         the repository's folder (default: dist/apt)

\`manifest\` signs what laptops are offered through the gateways of their customers: the packages of one version.

  --key FILE        P-256 private key in PEM (or the key itself in KIWISTACK_RELEASE_KEY)
  --rollout PERCENT how many of the laptops take it now, 0 to 100 (default: 100)
  --valid-days N    how long the offer counts, 1 to 365 (default: 90)
  --out FILE        default: dist/manifest.jws

variables
  KIWISTACK_ELECTRON  folder with unpacked archives of Electron: linux-x64, win32-x64, darwin-arm64 (default: .cache/electron-archives,
                      where \`prepare-machine.sh --for dist\` puts old ones for tests)
  KIWISTACK_WINDOWS_NODE  node.exe, version 22 (default: .cache/windows-node/node.exe, where \`prepare-machine.sh --for dist\` puts it)
  KIWISTACK_MACOS_PROGRAMS  folder with what is compiled for macOS (default: .cache/macos-programs); see docs/releases.md
  KIWISTACK_ZIG       the program of Zig, which compiles the addons for macOS (default: .cache/zig/ziglang/zig, where
                      \`prepare-machine.sh --for dist\` puts it)
  KIWISTACK_WINDOWS_KEY   key and certificate for Authenticode, in PKCS#12 or PEM
  KIWISTACK_WINDOWS_PASSWORD_FILE  file with the password of the former
  KIWISTACK_WINDOWS_TIMESTAMP  URL of a time-stamp authority
  KIWISTACK_APPLE_APPLICATION_KEY, KIWISTACK_APPLE_INSTALLER_KEY
                      key and certificate "Developer ID Application" and "Developer ID Installer", in PEM
  KIWISTACK_APPLE_TIMESTAMP  URL of Apple's time-stamp authority
  SOURCE_DATE_EPOCH   the time of the files (default: the time of the last commit)
`;
/** Something is missing on this machine. */
const INCOMPLETE = 6;

await runScript({
  name: 'npm run dist',
  help: HELP,
  positionals: true,
  options: {
    out: { type: 'string' },
    'msp-roots': { type: 'string' },
    version: { type: 'string' },
    key: { type: 'string' },
    'valid-days': { type: 'string', default: '90' },
    'release-keys': { type: 'string' },
    rollout: { type: 'string', default: '100' },
  },
  async run(flags, [wanted, ...rest]) {
    if (wanted === 'apt-repository') {
      await publish(flags, rest);
      return 0;
    }
    if (wanted === 'manifest') {
      await offer(flags, rest);
      return 0;
    }
    if (rest.length > 0) throw new KiwiError('usage', { detail: `unexpected: ${rest.join(' ')}` });
    const making: Making = {
      out: path.resolve(flags.out ?? path.join(PROJECT, 'dist')),
      version: flags.version ?? (await manifest()).version,
      mspRoots: flags['msp-roots'],
      releaseKeys: flags['release-keys'],
      runtimes: path.resolve(process.env['KIWISTACK_ELECTRON'] ?? path.join(PROJECT, '.cache/electron-archives')),
      declaredElectron: (await manifest()).devDependencies['electron'] ?? '',
      epochSeconds: await sourceDate(PROJECT, process.env['SOURCE_DATE_EPOCH']),
      windows: {
        node: path.resolve(process.env['KIWISTACK_WINDOWS_NODE'] ?? path.join(PROJECT, '.cache/windows-node/node.exe')),
        key: windowsKey(process.env),
      },
      macos: {
        programs: path.resolve(process.env['KIWISTACK_MACOS_PROGRAMS'] ?? path.join(PROJECT, '.cache/macos-programs')),
        zig: path.resolve(given(process.env, 'KIWISTACK_ZIG') ?? path.join(PROJECT, '.cache/zig/ziglang/zig')),
        python: path.join(PROJECT, '.cache/apple-code/bin/python3'),
        keys: appleKeys(process.env),
      },
    };
    return dist(systemsOf(wanted), making);
  },
});

function windowsKey(env: NodeJS.ProcessEnv): CodeKey | undefined {
  const file = given(env, 'KIWISTACK_WINDOWS_KEY');
  if (file === undefined) return undefined;
  const passwordFile = given(env, 'KIWISTACK_WINDOWS_PASSWORD_FILE');
  return { file, passwordFile, timestampUrl: given(env, 'KIWISTACK_WINDOWS_TIMESTAMP') };
}

/** @throws KiwiError `usage` when one of the two is missing: a half-signed package is refused by macOS */
function appleKeys(env: NodeJS.ProcessEnv): AppleKeys | undefined {
  const application = given(env, 'KIWISTACK_APPLE_APPLICATION_KEY');
  const installer = given(env, 'KIWISTACK_APPLE_INSTALLER_KEY');
  if (application === undefined && installer === undefined) return undefined;
  if (application === undefined || installer === undefined) {
    throw new KiwiError('usage', {
      detail: 'KIWISTACK_APPLE_APPLICATION_KEY and KIWISTACK_APPLE_INSTALLER_KEY belong together',
    });
  }
  return { application, installer, timestampUrl: given(env, 'KIWISTACK_APPLE_TIMESTAMP') };
}

function given(env: NodeJS.ProcessEnv, name: string): string | undefined {
  return env[name] === '' ? undefined : env[name];
}

async function dist(systems: readonly System[], making: Making): Promise<number> {
  await mkdir(making.out, { recursive: true });
  const notMade: NotMade[] = [];
  for (const system of systems) {
    const made = await makePackages(system, making);
    for (const artefact of made.artefacts) await print(artefact);
    notMade.push(...made.notMade);
  }
  for (const { what, why } of notMade) process.stdout.write(`not made: ${what}\n  ${why}\n`);
  return notMade.length === 0 ? 0 : INCOMPLETE;
}

function systemsOf(wanted: string | undefined): readonly System[] {
  const systems = wanted === 'all' ? SYSTEMS : SYSTEMS.filter((system) => system === wanted);
  if (systems.length === 0) {
    throw new KiwiError('usage', { detail: `${wanted ?? 'nothing'} is none of ${[...SYSTEMS, 'all'].join(', ')}` });
  }
  return systems;
}

async function print({ file, signature, remarks = [] }: Artefact): Promise<void> {
  const { bytes, sha256 } = await factsOf(file);
  process.stdout.write(
    `${file}\n  ${(bytes / 1e6).toFixed(1)} MB (${bytes} bytes)\n  SHA-256 ${sha256}\n  ${signature}\n`,
  );
  for (const remark of remarks) process.stdout.write(`  ${remark}\n`);
}

interface PublishFlags {
  readonly out?: string | undefined;
  readonly key?: string | undefined;
  readonly 'valid-days': string;
  readonly rollout: string;
}

async function publish(flags: PublishFlags, debs: readonly string[]): Promise<void> {
  const validDays = numberOf('--valid-days', flags['valid-days'], 1, 365);
  const key = await readKey(flags.key, process.env['KIWISTACK_APT_KEY']);
  const folder = path.resolve(flags.out ?? path.join(PROJECT, 'dist/apt'));
  const published = await publishApt({ folder, debs, key, validDays, now: new Date() });
  for (const { name, version, architecture } of published.packages) {
    process.stdout.write(`${name} ${version} ${architecture}\n`);
  }
  process.stdout.write(
    `signed by ${published.fingerprint}, until ${published.validUntil.toISOString()}, in ${folder}\n`,
  );
}

async function offer(flags: PublishFlags, debs: readonly string[]): Promise<void> {
  const { jws, manifest } = await signManifest({
    debs,
    key: await readKey(flags.key, process.env['KIWISTACK_RELEASE_KEY']),
    rollout: numberOf('--rollout', flags.rollout, 0, 100),
    validDays: numberOf('--valid-days', flags['valid-days'], 1, 365),
    now: new Date(),
  });
  const file = path.resolve(flags.out ?? path.join(PROJECT, 'dist/manifest.jws'));
  await writeFile(file, `${jws}\n`);
  const { version, rollout, expiresAt } = manifest;
  process.stdout.write(`${file}\n  version ${version} for ${rollout} % of the laptops, until ${expiresAt}\n`);
}

function numberOf(option: string, text: string, least: number, most: number): number {
  const number = /^\d+$/u.test(text) ? Number(text) : Number.NaN;
  if (number >= least && number <= most) return number;
  throw new KiwiError('usage', { detail: `${option} must be a number from ${least} to ${most}` });
}

/** A secret key: from a file, or from the environment, where build servers keep it. */
async function readKey(file: string | undefined, given: string | undefined): Promise<Buffer> {
  if (file !== undefined) return readGivenFile(file, { option: '--key', maxBytes: 64 << 10 });
  if (given === undefined || given === '') throw new KiwiError('usage', { detail: '--key is missing' });
  return Buffer.from(given);
}

async function manifest(): Promise<{ version: string; devDependencies: Record<string, string> }> {
  return JSON.parse(await readFile(path.join(PROJECT, 'package.json'), 'utf8')) as never;
}
