import { KiwiError } from '../../core/errors.ts';
import type { FileFacts } from '../system/inspector.ts';
import { notWell, well, type Check } from './check.ts';
import { openFiles } from './open-files.ts';

export const keyPrivate: Check = {
  code: 'device-key-private',
  severity: 'failure',
  what: 'Only root can read the device key.',
  matters: 'Whoever can read it can be this laptop, anywhere.',
  dependsOn: [],
  async run({ context: { platform }, record }) {
    const file = platform.certificates.paths(record.slug).key;
    const found = await platform.inspector.file(file);
    if (found === undefined) return well('there is none');
    if (found.uid === 0 && (found.mode & 0o077) === 0) return well(modeOf(found));
    const hint =
      'Run `kiwistack-enroll doctor --fix`. Somebody may have a copy by now: if others use this laptop, enroll it again.';
    return notWell(new KiwiError('file-permissions', { detail: `${file}: ${modeOf(found)}`, hint }), 'restrict-files');
  },
};

export const filesPrivate: Check = {
  code: 'file-permissions',
  severity: 'failure',
  what: 'Every file of the enrollment is owned by root, written by root alone, and what is secret is read by root alone.',
  matters: 'Others can read secrets, or change what runs as root.',
  dependsOn: [],
  async run({ context: { platform }, record }) {
    const { open, closed } = await openFiles(platform, record.slug);
    if (open.length === 0) return well(`${closed} files`);
    const detail = open.map(({ file, facts }) => `${file}: ${modeOf(facts)}`).join(', ');
    return notWell(new KiwiError('file-permissions', { detail }), 'restrict-files');
  },
};

const modeOf = ({ mode, uid }: FileFacts): string => `mode ${mode.toString(8).padStart(4, '0')}, owner ${uid}`;
