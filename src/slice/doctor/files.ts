import { readdir, readFile, stat, statfs } from 'node:fs/promises';
import path from 'node:path';

import { notKnown, well } from '../../checks/check.ts';
import { ignoreMissing } from '../../core/durable-file.ts';
import { DAY } from '../../pki/issue.ts';
import { AuditSeal } from '../audit/audit-seal.ts';
import { openRegistry, registryFault } from '../open-registry.ts';
import { unwell, type SliceCheck } from './slice-facts.ts';

const MEGABYTE = 1e6;
const BACKUP_DAYS = 7;

export const filesPrivate: SliceCheck = {
  code: 'files-private',
  severity: 'failure',
  what: "Only the owner of the slice's folder can read what is in it.",
  matters: 'Whoever reads a key can speak for the slice; the slice refuses to use such a file.',
  dependsOn: [],
  async run({ paths: { dir } }) {
    const owner = await stat(dir);
    const faults = (owner.mode & 0o077) === 0 ? [] : ['the folder itself'];
    const entries = await readdir(dir, { recursive: true, withFileTypes: true });
    for (const entry of entries) {
      const file = path.join(entry.parentPath, entry.name);
      // What a running slice or a backup writes anew may be gone by now.
      const found = await stat(file).catch(ignoreMissing);
      const open = found !== undefined && (found.mode & 0o077) !== 0 && !isPublic(path.relative(dir, file));
      if (found !== undefined && (open || found.uid !== owner.uid)) faults.push(path.relative(dir, file));
    }
    const hint = `Let only its owner read it: \`chown -R --reference=${dir} ${dir}\`, and \`chmod 600\` for files, 700 for folders.`;
    return faults.length === 0 ? well(`${entries.length} files`) : unwell(faults.slice(0, 5).join(', '), hint);
  },
};

/** Certificates, the provider's list of those taken back, and what the gateway's page offers; the folder around them is closed. */
const isPublic = (file: string): boolean => /\.cr[tl]$/u.test(file) || file.startsWith('packages');

export const diskSpace: SliceCheck = {
  code: 'disk-space',
  severity: 'failure',
  what: 'There is room for the registry to grow: 500 MB, and a thousandth of the inodes.',
  matters: 'When the disk is full, nothing is granted, renewed or recorded any more.',
  dependsOn: [],
  async run({ paths }) {
    const { bavail, bsize, ffree, files } = await statfs(paths.dir);
    const free = (bavail * bsize) / MEGABYTE;
    const saw = `${Math.floor(free)} MB free`;
    // Some file systems have no table of inodes.
    return free < 500 || (files > 0 && ffree < files / 1000)
      ? unwell(`${saw}, ${ffree} inodes`, 'Make room on its disk.')
      : well(saw);
  },
};

export const registryWhole: SliceCheck = {
  code: 'registry-whole',
  severity: 'failure',
  what: 'Every page of the registry is as SQLite wrote it.',
  matters: 'What it says of keys and laptops may be wrong, and a backup of it would be refused.',
  dependsOn: [],
  run({ paths }) {
    const fault = registryFault(paths);
    return Promise.resolve(
      fault === undefined ? well('quick_check: ok') : unwell(fault, 'Restore the last backup: see docs/operators.md.'),
    );
  },
};

export const auditWhole: SliceCheck = {
  code: 'audit-whole',
  severity: 'failure',
  what: 'No record of the audit was changed, removed or moved.',
  matters: 'Somebody has written into the database, or it was restored from another backup.',
  dependsOn: ['registry-whole'],
  async run({ paths, config, identity, clock }) {
    const registry = openRegistry(paths);
    try {
      const seal = new AuditSeal({
        file: paths.auditCheckpoint,
        slug: config.customer.slug,
        identity,
        registry,
        clock,
      });
      const { records, fault } = await seal.verify();
      const hint = 'Run `kiwistack-operator audit verify`, and see "The audit was changed" in docs/operators.md.';
      return fault === undefined ? well(`${records} records`) : unwell(fault.what, hint);
    } finally {
      registry.close();
    }
  },
};

export const backupRecent: SliceCheck = {
  code: 'backup-recent',
  severity: 'warning',
  what: 'A backup was made within a week.',
  matters:
    'If the machine is lost, laptops that enrolled since the last one have to enroll again, and burned keys are valid again.',
  dependsOn: [],
  async run({ paths, clock }) {
    const hint = 'Run `kiwistack-slice backup`, every day, and copy the file to another machine.';
    const text = await readFile(paths.lastBackup, 'utf8').catch(ignoreMissing);
    const at = Date.parse(/"at":"([^"]{1,40})"/u.exec(text ?? '')?.[1] ?? '');
    if (Number.isNaN(at)) return unwell('there is none', hint);
    const days = Math.floor((clock.now() - at) / DAY);
    return days > BACKUP_DAYS
      ? unwell(`the last one is ${days} days old`, hint)
      : well(`of ${new Date(at).toISOString()}`);
  },
};

export const rootKeyAway: SliceCheck = {
  code: 'root-key-away',
  severity: 'warning',
  what: "The provider's root key is not on this machine.",
  matters: 'Whoever takes this machine over can speak for every website on every laptop of the provider.',
  dependsOn: [],
  async run({ paths }) {
    const there = await stat(paths.msp.key).catch(ignoreMissing);
    if (there === undefined) return well('it is not here');
    return unwell(paths.msp.key, 'Copy it to two places offline, then delete it here: nothing that runs reads it.');
  },
};

export const clockSynchronised: SliceCheck = {
  code: 'clock-synchronised',
  severity: 'warning',
  what: 'A time service keeps the clock of this machine.',
  matters: 'Ten minutes of difference make the slice refuse laptops; certificates get wrong times.',
  dependsOn: [],
  async run({ ask }) {
    const said = await ask('timedatectl', 'show', '--property=NTPSynchronized', '--value');
    if (said === undefined) return notKnown('timedatectl does not answer');
    return said.trim() === 'yes'
      ? well('synchronised')
      : unwell('it is not synchronised', 'Turn on network time: `timedatectl set-ntp true`.');
  },
};
