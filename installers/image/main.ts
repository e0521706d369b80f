// `npm run image`: makes the disk of a laptop that ships from an OEM, and puts the token of one laptop into it.
import path from 'node:path';

import { KiwiError } from '../../src/core/errors.ts';
import { runScript } from '../../src/terminal/run-script.ts';
import { sourceDate } from '../linux/source-date.ts';
import { buildImage } from './build-image.ts';
import { DISTRIBUTIONS, type Distribution } from './distributions.ts';
import { personalize } from './personalize.ts';

const PROJECT = path.join(import.meta.dirname, '../..');
const HELP = `usage: npm run image -- build --out DIR [options]
       npm run image -- personalize --image FILE --bootstrap FILE --out FILE
       npm run image -- personalize --image DISK --bootstrap FILE --in-place

Makes the disk that an OEM writes to laptops.

\`build\` makes the generic image, of packages of the distribution and our own, and prints its path. Nothing secret is in it: no
token, no host key, no password, no machine-id. Beside it stand the list of its contents (.contents) and of its components (.cdx.json,
CycloneDX). It needs root.

  --out DIR            where to write it
  --distribution NAME  ${Object.keys(DISTRIBUTIONS).join(' or ')} (default: debian-12; see docs/oem.md)
  --deb FILE           the package kiwistack-enroll to install (default: it is built from this clone)
  --msp-roots FILE     PEM file with the provider's root certificates, pinned in the package that is built
  --release-keys FILE  PEM file with the public keys of the provider's releases, pinned there too
  --sources FILE       package sources of apt (.list or .sources): where the packages come from, and what laptops update from.
                       Without them, packages come from where this machine gets its own, and laptops have no sources
  --include NAMES      more packages, separated by commas: firmware of the laptops, a desktop
  --user-data FILE     what cloud-init runs once on each laptop
  --customize FILE     a program that changes the system further: it gets the system's folder as its argument, before all is looked through
  --harden FILE        hardens the system to CIS Level 1, by this data stream of the SCAP Security Guide (see docs/oem.md), and writes how it
                       was judged before and after (.hardening.json)
  --base DIR           keeps the distribution's part in DIR, and uses what is there instead of fetching packages again

\`personalize\` copies an image for one laptop and puts its token in, in seconds. With --in-place it puts the token into the image, or
the disk that the image was written to, itself.

  --image FILE      a generic image, or a disk with one
  --bootstrap FILE  the laptop's token, as \`kiwistack-operator batch create\` wrote it
  --key FILE        P-256 private key in PEM, for a token that is sealed (.sealed)
  --out FILE        where to write the laptop's image

SOURCE_DATE_EPOCH sets the time of an image (default: the time of the last commit).

examples
  npm run image -- build --out dist --msp-roots ROOT.crt --sources debian.sources
  npm run image -- personalize --image dist/kiwistack-base_0.1.0_debian-12_amd64.raw --bootstrap tokens/PF3XK2AB.sealed --key oem.key --out PF3XK2AB.raw
`;

await runScript({
  name: 'npm run image',
  help: HELP,
  positionals: true,
  options: {
    out: { type: 'string' },
    distribution: { type: 'string', default: 'debian-12' },
    deb: { type: 'string' },
    'msp-roots': { type: 'string' },
    'release-keys': { type: 'string' },
    sources: { type: 'string' },
    include: { type: 'string' },
    'user-data': { type: 'string' },
    customize: { type: 'string' },
    harden: { type: 'string' },
    base: { type: 'string' },
    image: { type: 'string' },
    bootstrap: { type: 'string' },
    key: { type: 'string' },
    'in-place': { type: 'boolean', default: false },
  },
  async run(flags, [command, ...rest]) {
    if (rest.length > 0) throw new KiwiError('usage', { detail: `unexpected: ${rest.join(' ')}` });
    if (command === 'build') {
      const { out, deb, sources, base, include } = flags;
      const made = await buildImage({
        out: needed('--out', out),
        distribution: distributionOf(flags.distribution),
        name: flags.distribution,
        deb,
        pinned: { mspRoots: flags['msp-roots'], releaseKeys: flags['release-keys'] },
        sources,
        include: include === undefined ? [] : packageNames(include),
        userData: flags['user-data'],
        customize: flags.customize,
        harden: flags.harden,
        base,
        epochSeconds: await sourceDate(PROJECT, process.env['SOURCE_DATE_EPOCH']),
        proxies: proxies(process.env),
        say: (what) => void process.stderr.write(`image: ${what}\n`),
      });
      process.stdout.write(`${made}\n`);
      return 0;
    }
    if (command === 'personalize') {
      const inPlace = flags['in-place'];
      if (inPlace === (flags.out !== undefined)) throw new KiwiError('usage', { detail: 'give --out or --in-place' });
      const { serial, expiresAt } = await personalize({
        image: needed('--image', flags.image),
        bootstrap: needed('--bootstrap', flags.bootstrap),
        key: flags.key,
        out: flags.out,
        now: new Date(),
      });
      process.stdout.write(`${flags.out ?? flags.image ?? ''}\n`);
      process.stderr.write(`image: only for the laptop with the serial number ${serial}, until ${expiresAt}\n`);
      return 0;
    }
    throw new KiwiError('usage', {
      detail: command === undefined ? 'no command was given' : `there is no command ${command}`,
      hint: 'Run `npm run image -- --help` to see commands and examples.',
    });
  },
});

function needed(option: string, value: string | undefined): string {
  if (value === undefined) throw new KiwiError('usage', { detail: `${option} is missing` });
  return value;
}

function distributionOf(name: string): Distribution {
  const found = Object.hasOwn(DISTRIBUTIONS, name) ? DISTRIBUTIONS[name] : undefined;
  if (found !== undefined) return found;
  throw new KiwiError('usage', { detail: `--distribution must be ${Object.keys(DISTRIBUTIONS).join(' or ')}` });
}

/** Names as Debian allows them (Policy, section 5.6.1): nothing that apt or mmdebstrap would take for something else. */
function packageNames(list: string): string[] {
  const names = list.split(',');
  const wrong = names.find((name) => !/^[a-z0-9][a-z0-9+.-]+$/u.test(name));
  if (wrong === undefined) return names;
  throw new KiwiError('usage', { detail: `--include: not the name of a package: ${wrong}` });
}

/** apt may need the network's proxy. */
function proxies(env: NodeJS.ProcessEnv): Record<string, string> {
  const found = Object.entries(env).filter(([name]) => /^(?:https?|no)_proxy$/iu.test(name));
  return Object.fromEntries(found.map(([name, value]) => [name, value ?? '']));
}
