import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { KiwiError } from '../../src/core/errors.ts';
import { MINIMAL_ENVIRONMENT } from '../../src/programs/minimal-environment.ts';
import { runChecked } from '../../src/programs/run-program.ts';
import type { Distribution } from './distributions.ts';
import { findUnfit } from './find-unfit.ts';
import { HARDENING_PACKAGES, hardenRoot } from './harden/harden-root.ts';
import { listContents } from './list-contents.ts';
import { makeDisk, rootMib } from './make-disk.ts';
import { provideBase } from './provide-base.ts';
import { readBundled, readInstalled } from './read-packages.ts';
import { renderSbom } from './render-sbom.ts';
import { settleRoot } from './settle-root.ts';
import { requireTools } from './tools.ts';
import { uuidOf } from './uuid-of.ts';

const PROJECT = path.join(import.meta.dirname, '../..');

export interface ImageRequest {
  readonly out: string;
  readonly distribution: Distribution;
  /** The distribution's name in names of files. */
  readonly name: string;
  readonly deb: string | undefined;
  readonly pinned: { readonly mspRoots: string | undefined; readonly releaseKeys: string | undefined };
  readonly sources: string | undefined;
  readonly include: readonly string[];
  readonly userData: string | undefined;
  readonly customize: string | undefined;
  /** The data stream of the SCAP Security Guide, to harden the system by. */
  readonly harden: string | undefined;
  readonly base: string | undefined;
  readonly epochSeconds: number;
  readonly proxies: Readonly<Record<string, string>>;
  readonly say: (what: string) => void;
}

/**
 * Makes the generic image of a laptop, and beside it the lists of its contents and of its components.
 *
 * @returns the image's path
 * @throws KiwiError `file-unusable` when something in it would belong to one laptop or to this machine: no such image is written
 */
export async function buildImage(request: ImageRequest): Promise<string> {
  const { distribution, epochSeconds, sources, userData, customize } = request;
  const tools = requireTools([
    'mmdebstrap',
    'chroot',
    'unshare',
    'dpkgQuery',
    'mke2fs',
    'mformat',
    'mmd',
    'mcopy',
    'cp',
  ]);
  const guide = request.harden === undefined ? undefined : path.resolve(request.harden);
  const include = [...request.include, ...(guide === undefined ? [] : Object.keys(HARDENING_PACKAGES))];
  // A laptop says in its claim what it was made from.
  const name = guide === undefined ? request.name : `${request.name}-hardened`;
  if (process.getuid?.() !== 0) throw new KiwiError('not-root');
  if (sources !== undefined && !/\.(?:list|sources)$/u.test(sources)) {
    throw new KiwiError('usage', { detail: '--sources: a file of apt ends in .list or .sources' });
  }
  const say = timed(request.say);
  if (!distribution.tried)
    say(`nobody has built an image of ${request.name} yet: it is written from its package lists`);
  const out = path.resolve(request.out);
  await mkdir(out, { recursive: true });
  // Next to its destination, so that it can be moved there atomically.
  const work = await mkdtemp(path.join(out, '.image-'));
  try {
    const deb = request.deb ?? (await buildDeb(request, work, say));
    const base = await provideBase(tools, {
      ...request,
      include,
      folder: request.base ?? path.join(work, 'base'),
      say,
    });
    const root = path.join(work, 'root');
    await runChecked({ program: tools.cp, args: ['-a', '--reflink=auto', '--', base, root], timeoutMs: 900_000 });
    const version = path.basename(deb).split('_')[1] ?? '0';
    const title = `kiwistack-base_${version}_${name}_amd64`;
    const uuid = uuidOf(`${title} ${epochSeconds.toString()} ${await digestOf(deb)} ${include.join(',')}`);
    say('our package, and the settings of the image');
    const reportFile = path.join(out, `${title}.hardening.json`);
    const harden = async (content: string): Promise<void> => {
      const report = await hardenRoot(tools, { root, content, work: path.join(work, 'harden'), say });
      await writeFile(reportFile, `${JSON.stringify(report, undefined, 1)}\n`);
    };
    await settleRoot(tools, {
      ...{ root, distribution, deb, uuid, title, sources, userData, customize, epochSeconds },
      harden: guide === undefined ? undefined : () => harden(guide),
    });
    say('looks through it');
    const unfit = await findUnfit(root);
    if (unfit.length > 0) {
      const shown = unfit.slice(0, 10).join('; ');
      throw new KiwiError('file-unusable', {
        detail: `not fit for many laptops: ${shown} (${unfit.length.toString()} in all)`,
      });
    }
    say('its disk');
    const raw = path.join(work, 'disk.raw');
    const size = await rootMib(root);
    const esp = await makeDisk(tools, {
      ...{ disk: raw, root, uuid, efiFolder: distribution.efiFolder, work, rootMib: size, epochSeconds },
    });
    say('its lists');
    const contents = `${await listContents(root)}${(await listContents(esp)).replaceAll(/^(?=\w)/gmu, 'efi ')}`;
    const sbom = renderSbom({
      ...{ title, version, distribution, epochSeconds },
      packages: await readInstalled(tools.dpkgQuery, root),
      bundled: await readBundled(root),
      contents: createHash('sha256').update(contents).digest('hex'),
    });
    const image = path.join(out, `${title}.raw`);
    await writeFile(path.join(out, `${title}.contents`), contents);
    await writeFile(path.join(out, `${title}.cdx.json`), sbom);
    await rename(raw, image);
    const { size: bytes, blocks } = await stat(image);
    say(`${(bytes / 1e6).toFixed(0)} MB, of which ${((blocks * 512) / 1e6).toFixed(0)} MB are not empty`);
    if (sources === undefined)
      say('without --sources: laptops made of it have no package sources and get no updates from one');
    return image;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function buildDeb(
  { pinned, epochSeconds }: ImageRequest,
  work: string,
  say: (what: string) => void,
): Promise<string> {
  say('the package kiwistack-enroll');
  const options = [
    ...(pinned.mspRoots === undefined ? [] : ['--msp-roots', path.resolve(pinned.mspRoots)]),
    ...(pinned.releaseKeys === undefined ? [] : ['--release-keys', path.resolve(pinned.releaseKeys)]),
  ];
  await runChecked({
    program: process.execPath,
    args: ['installers/linux/build-deb.ts', '--out', work, ...options],
    cwd: PROJECT,
    env: { ...MINIMAL_ENVIRONMENT, SOURCE_DATE_EPOCH: epochSeconds.toString() },
    timeoutMs: 900_000,
  });
  const [made] = (await readdir(work)).filter((file) => file.endsWith('.deb'));
  if (made === undefined) throw new Error('build-deb made no package');
  return path.join(work, made);
}

async function digestOf(file: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(file))
    .digest('hex');
}

/** With the time since the beginning. */
function timed(say: (what: string) => void): (what: string) => void {
  const began = performance.now();
  return (what) => say(`${((performance.now() - began) / 1000).toFixed(0)} s  ${what}`);
}
