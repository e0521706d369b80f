import { KiwiError } from '../../core/errors.ts';
import { VERSION } from '../../core/version.ts';
import { notKnown, notWell, well, type Check } from './check.ts';

const PACKAGE = 'kiwistack-enroll';
const FROM_FOLDER = `the package ${PACKAGE} is not installed`;

export const packageIntact: Check = {
  code: 'package',
  severity: 'warning',
  what: 'The files of the package are as it delivered them.',
  matters: 'The program may not start the next time, or may not be the one that was delivered.',
  dependsOn: [],
  async run({ package: installed }) {
    const found = await installed();
    if (found === undefined) return notKnown(FROM_FOLDER);
    const { version, altered } = found;
    if (altered.length === 0) return well(`version ${version}`);
    const more = altered.length > 4 ? ` and ${altered.length - 4} more` : '';
    return notWell(new KiwiError('package-altered', { detail: `${altered.slice(0, 4).join(', ')}${more}` }));
  },
};

export const versionRuns: Check = {
  code: 'version',
  severity: 'warning',
  what: 'This program is the version that is installed.',
  matters: 'What runs by itself is another version than what was started by hand.',
  dependsOn: [],
  async run({ package: installed }) {
    const found = await installed();
    if (found === undefined) return notKnown(`${VERSION}; ${FROM_FOLDER}`);
    // A package's version has more than the program's: a revision, a mark of a test build.
    if (found.version.startsWith(VERSION)) return well(VERSION);
    return notWell(new KiwiError('package-altered', { detail: `${found.version} is installed, this is ${VERSION}` }));
  },
};

export const programsThere: Check = {
  code: 'programs',
  severity: 'failure',
  what: 'The programs that the tunnel and the Fleet agent need are installed.',
  matters: 'The tunnel does not start any more.',
  dependsOn: [],
  async run({ context: { platform } }) {
    const missing = await platform.inspector.missingPrograms();
    if (missing.length === 0) return well('all of them');
    return notWell(new KiwiError('tool-missing', { detail: missing.join(', ') }));
  },
};

export const wireguardThere: Check = {
  code: 'wireguard',
  severity: 'failure',
  what: 'This system has WireGuard, in its kernel or as a program.',
  matters: 'The tunnel does not start any more.',
  dependsOn: [],
  async run({ context: { platform } }) {
    const where = await platform.inspector.wireguard();
    if (where !== 'none') return well(where === 'kernel' ? 'in the kernel' : 'wireguard-go');
    const detail = 'wireguard-go (package wireguard-go; this kernel has no WireGuard)';
    return notWell(new KiwiError('tool-missing', { detail }));
  },
};
