import path from 'node:path';

import { KiwiError } from '../../core/errors.ts';
import { FarewellFile } from '../state/farewell.ts';
import { notWell, well, type Check } from './check.ts';
import { temporaryFiles } from './temporary-files.ts';

/** The longest run, an enrollment that waits for the package manager and a slow line, takes some minutes. */
const LONG_MS = 3_600_000;

export const notHalfRemoved: Check = {
  code: 'not-half-removed',
  severity: 'failure',
  what: 'No removal of the enrollment was begun and not finished.',
  matters: 'Parts of the enrollment are gone.',
  dependsOn: [],
  async run({ halfRemoved }) {
    if (!(await halfRemoved())) return well('nothing was undone');
    return notWell(new KiwiError('enrollment-incomplete', { detail: 'it is half removed' }));
  },
};

export const farewellsTold: Check = {
  code: 'deregistration',
  severity: 'warning',
  what: 'No deregistration of an earlier enrollment is waiting to be sent.',
  matters: 'The slice of that enrollment still counts this laptop as its own.',
  dependsOn: [],
  async run({ context }) {
    const waiting = (await new FarewellFile(context.platform.stateFolder).load()).filter(({ toldAt }) => !toldAt);
    if (waiting.length === 0) return well('none');
    const detail = waiting.map(({ customer, signedAt }) => `${customer}, since ${signedAt}`).join('; ');
    return notWell(new KiwiError('deregistration-pending', { detail }), 'report-deregistration');
  },
};

export const runEnded: Check = {
  code: 'run-lock',
  severity: 'warning',
  what: 'No run of kiwistack-enroll has been going on for an hour.',
  matters: 'While it goes on, no certificate is renewed.',
  dependsOn: [],
  async run({ context: { platform, clock } }) {
    const file = path.join(platform.stateFolder, 'lock');
    const lock = await platform.inspector.file(file);
    if (lock === undefined || clock.now() - lock.modifiedAt < LONG_MS) {
      return well(lock === undefined ? 'none is going on' : 'one is going on');
    }
    const detail = `${file} is from ${new Date(lock.modifiedAt).toISOString()}`;
    const hint = 'If `pgrep -a kiwistack` shows a run, end it. A lock that a killed run left is taken by the next one.';
    return notWell(new KiwiError('already-running', { detail, hint }));
  },
};

export const nothingUnfinished: Check = {
  code: 'leftovers',
  severity: 'warning',
  what: 'No run that was killed has left a half written file.',
  matters: 'Nothing works less, but such a file may hold a copy of what is secret.',
  dependsOn: [],
  async run(facts) {
    const found = await temporaryFiles(facts.context, facts.record.slug);
    if (found.length === 0) return well('none');
    const detail = `${found.slice(0, 4).join(', ')}${found.length > 4 ? ` and ${found.length - 4} more` : ''}`;
    return notWell(new KiwiError('leftovers-found', { detail }), 'remove-leftovers');
  },
};
