import path from 'node:path';

import type { Clock } from '../../core/clock.ts';
import { EXIT } from '../../core/error-codes.ts';
import { KiwiError } from '../../core/errors.ts';
import { readGivenFile, unusable } from '../../core/read-given-file.ts';
import { DAY } from '../../pki/issue.ts';
import {
  readRevocationList,
  RevocationListError,
  revocationListPem,
  type RevocationList,
  type RevocationReason,
} from '../../pki/revocation-list.ts';
import { readGivenCertificate } from '../../provider/read-root.ts';
import { MAX_GIVEN } from '../../provider/request-file.ts';
import { revoke } from '../../provider/revoke.ts';
import { printAnswer } from '../../terminal/report.ts';
import { withRoot, type RootFlags } from './root-in-use.ts';
import { writeOut } from './sign-command.ts';

export interface RevokeFlags extends RootFlags {
  readonly certificate?: readonly string[];
  readonly reason: RevocationReason;
  readonly list?: string;
  readonly first?: boolean;
  readonly out: string;
  readonly days: number;
}

/** `kiwistack-msp revoke`: the root's next revocation list. Without a certificate, the same entries until later. */
export async function revokeCommand(flags: RevokeFlags, clock: Clock, signal: AbortSignal): Promise<number> {
  // Without the last one, the new list would be the first again, and be taken by nobody who knows a later one.
  if ((flags.list === undefined) === (flags.first !== true)) {
    throw new KiwiError('usage', { detail: 'either --list FILE, the last list, or --first where there never was one' });
  }
  const before = flags.list === undefined ? undefined : await readList(flags.list);
  const certificates: Parameters<typeof revoke>[2][number][] = [];
  for (const file of flags.certificate ?? []) {
    certificates.push({ certificate: await readGivenCertificate('--certificate', file), reason: flags.reason });
  }
  const now = new Date(clock.now());
  const times = { now, nextUpdate: new Date(now.getTime() + flags.days * DAY) };
  const list = await withRoot(flags, clock, signal, (root) => revoke(root, before, certificates, times));
  await writeOut(flags.out, revocationListPem(list));
  const { number, revoked } = list;
  const until = list.nextUpdate.toISOString();
  printAnswer(flags, 'revoked', { file: path.resolve(flags.out), number, until, revoked }, [
    `List ${number} of the root, until ${until}: ${flags.out}`,
    ...revoked.map(({ serialHex, at, reason }) => `  ${serialHex}  ${at.toISOString()}  ${reason ?? ''}`),
    'Keep it: the next list goes on from it. Give it to every customer: `kiwistack-slice intermediate replace --revoked`, or `intermediate revoked`.',
  ]);
  return EXIT.done;
}

async function readList(file: string): Promise<RevocationList> {
  const pem = (await readGivenFile(file, { option: '--list', maxBytes: MAX_GIVEN })).toString('utf8');
  try {
    return readRevocationList(pem);
  } catch (error) {
    if (!(error instanceof RevocationListError)) throw error;
    throw unusable(file, `is no revocation list: ${error.message}`, { option: '--list', cause: error });
  }
}
