import { createHash } from 'node:crypto';
import { copyFile, mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { gzipSync } from 'node:zlib';

import { KiwiError } from '../../src/core/errors.ts';
import { systemErrorCode } from '../../src/core/system-error-code.ts';
import { runChecked } from '../../src/programs/run-program.ts';
import { withSigningKey, type SigningKey } from './signing-key.ts';

const SUITE = 'stable';
const COMPONENT = 'main';
const ARCHITECTURES = ['amd64', 'arm64'];
const DAY_MS = 86_400_000;

export interface AptRepository {
  /** The folder that is served. What is in its pool stays there. */
  readonly folder: string;
  /** Packages to add. */
  readonly debs: readonly string[];
  /** An OpenPGP secret key without a passphrase. */
  readonly key: Buffer;
  /** When apt begins to refuse what was signed now. Whoever replays an old state of the repository has that long. */
  readonly validDays: number;
  readonly now: Date;
}

export interface Published {
  readonly packages: readonly { readonly name: string; readonly version: string; readonly architecture: string }[];
  /** Of the key, 40 hexadecimal digits. */
  readonly fingerprint: string;
  readonly validUntil: Date;
}

/**
 * Makes or extends a signed apt repository (Debian's DebianRepository/Format). It may be served meanwhile: indexes are found by their hash,
 * and the signed file that names them is replaced last, in one step.
 *
 * @throws KiwiError `file-unusable` for what is no package or no key; `usage` for another package under a published version
 */
export async function publishApt(repository: AptRepository): Promise<Published> {
  const { folder, debs, key, now } = repository;
  const pool = path.join(folder, 'pool');
  await mkdir(pool, { recursive: true });
  return withSigningKey(key, async (signing) => {
    for (const deb of debs) await addToPool(pool, deb);
    const packages = await readPool(folder);
    const dist = path.join(folder, 'dists', SUITE);
    const indexes = await writeIndexes(dist, packages);
    const validUntil = new Date(now.getTime() + repository.validDays * DAY_MS);
    await writeRelease(dist, renderRelease(indexes, now, validUntil), signing);
    await writeFile(path.join(folder, 'kiwistack-archive-keyring.gpg'), signing.publicKey);
    return { packages, fingerprint: signing.fingerprint, validUntil };
  });
}

interface PoolPackage {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  /** Its paragraph in Packages. */
  readonly stanza: string;
}

async function addToPool(pool: string, deb: string): Promise<void> {
  const { name, version, architecture } = await readControl(deb);
  // The epoch of a version is not part of a file's name.
  const target = path.join(pool, `${name}_${version.replace(/^\d+:/u, '')}_${architecture}.deb`);
  const known = await readFile(target).catch((error: unknown) => {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (known === undefined) {
    await copyFile(deb, `${target}.new`);
    await rename(`${target}.new`, target);
  } else if (!known.equals(await readFile(deb))) {
    const detail = `${name} ${version} for ${architecture} is published already, with other content: give it another version`;
    throw new KiwiError('usage', { detail });
  }
}

async function readControl(deb: string): Promise<Omit<PoolPackage, 'stanza'> & { control: string }> {
  const args = ['--field', deb];
  const { stdout } = await runChecked({ program: '/usr/bin/dpkg-deb', args }).catch((error: unknown) => {
    throw new KiwiError('file-unusable', { detail: `${deb} is no Debian package`, cause: error });
  });
  const control = stdout.toString().trimEnd();
  const field = (name: string, grammar: RegExp): string => {
    const value = new RegExp(`^${name}: (.*)$`, 'mu').exec(control)?.[1] ?? '';
    if (!grammar.test(value)) throw new KiwiError('file-unusable', { detail: `${deb} has no valid ${name}` });
    return value;
  };
  return {
    name: field('Package', /^[a-z0-9][a-z0-9+.-]+$/u),
    version: field('Version', /^[0-9][A-Za-z0-9.+~:-]*$/u),
    architecture: field('Architecture', new RegExp(`^(${ARCHITECTURES.join('|')})$`, 'u')),
    control,
  };
}

async function readPool(folder: string): Promise<readonly PoolPackage[]> {
  const names = (await readdir(path.join(folder, 'pool'))).filter((name) => name.endsWith('.deb')).sort();
  const packages: PoolPackage[] = [];
  for (const file of names) {
    const place = path.join(folder, 'pool', file);
    const { control, ...facts } = await readControl(place);
    const bytes = await readFile(place);
    const stanza = `${control}\nFilename: pool/${file}\nSize: ${bytes.length}\nSHA256: ${sha256(bytes)}\n`;
    packages.push({ ...facts, stanza });
  }
  return packages;
}

/** A file that Release names. */
interface Index {
  readonly name: string;
  readonly bytes: Buffer;
}

async function writeIndexes(dist: string, packages: readonly PoolPackage[]): Promise<readonly Index[]> {
  const indexes: Index[] = [];
  for (const architecture of ARCHITECTURES) {
    const stanzas = packages.filter((found) => found.architecture === architecture).map(({ stanza }) => stanza);
    const plain = Buffer.from(stanzas.join('\n'));
    const folder = `${COMPONENT}/binary-${architecture}`;
    const files = { Packages: plain, 'Packages.gz': gzipSync(plain, { level: 9 }) };
    await mkdir(path.join(dist, folder, 'by-hash/SHA256'), { recursive: true });
    for (const [name, bytes] of Object.entries(files)) {
      // Those of earlier states stay: a laptop that has just read the signed file of before still finds them.
      await writeFile(path.join(dist, folder, 'by-hash/SHA256', sha256(bytes)), bytes);
      await replaceFile(path.join(dist, folder, name), bytes);
      indexes.push({ name: `${folder}/${name}`, bytes });
    }
  }
  return indexes;
}

function renderRelease(indexes: readonly Index[], now: Date, validUntil: Date): string {
  const date = (time: Date): string => time.toUTCString().replace('GMT', 'UTC');
  return [
    'Origin: KiwiStack',
    'Label: KiwiStack',
    `Suite: ${SUITE}`,
    `Codename: ${SUITE}`,
    `Date: ${date(now)}`,
    `Valid-Until: ${date(validUntil)}`,
    'Acquire-By-Hash: yes',
    `Architectures: ${ARCHITECTURES.join(' ')}`,
    `Components: ${COMPONENT}`,
    'Description: KiwiStack device enrollment',
    'SHA256:',
    ...indexes.map(({ name, bytes }) => ` ${sha256(bytes)} ${bytes.length} ${name}`),
    '',
  ].join('\n');
}

async function writeRelease(dist: string, release: string, signing: SigningKey): Promise<void> {
  const bytes = Buffer.from(release);
  const files = {
    Release: bytes,
    'Release.gpg': await signing.signDetached(bytes),
    InRelease: await signing.signInline(bytes),
  };
  for (const [name, content] of Object.entries(files)) await replaceFile(path.join(dist, name), content);
}

async function replaceFile(file: string, content: Buffer): Promise<void> {
  await writeFile(`${file}.new`, content);
  await rename(`${file}.new`, file);
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
