import { toKiwiError, type KiwiError } from '../../core/errors.ts';
import type { Seen, SeenFile } from '../state/seen.ts';
import type { LaptopContext } from '../system/laptop-context.ts';
import type { CheckResult } from './check-result.ts';
import { mattersOf, mattersOfFailure } from './matters.ts';
import { tellPeople } from './tell-people.ts';

/** Whoever is logged in hears of what only a person can mend. It is kept as long as there is anything to keep it for. */
export async function tellOfCheck(
  context: LaptopContext,
  seen: SeenFile,
  before: Seen['told'],
  result: CheckResult,
): Promise<void> {
  const { enrollment } = result;
  const { platform, clock, signal, log } = context;
  const slug = enrollment?.removed === undefined ? enrollment?.record.slug : undefined;
  const stored = slug === undefined ? undefined : await platform.certificates.load(slug).catch(() => undefined);
  const { parts } = await seen.load();
  const matters = mattersOf(result, {
    now: clock.now(),
    certificateEnds: stored?.leaf.notAfter.getTime(),
    offlineDays: parts?.offlineDays,
  });
  const isOver = slug === undefined && matters.now.size === 0;
  try {
    const told = await tellPeople(context, matters, before);
    if (told.length + before.length > 0 && !isOver) await seen.save({ ...(await seen.load()), told });
  } catch (error) {
    signal.throwIfAborted();
    log?.write('warning', 'not-kept', { what: 'seen', code: toKiwiError(error).code });
  }
}

/**
 * The same of a check that could not begin because nothing can be written. For the same reason it may not be kept, and the next check
 * tells it again.
 */
export async function tellOfFailure(context: LaptopContext, seen: SeenFile, failure: KiwiError): Promise<void> {
  const matters = mattersOfFailure(failure);
  if (matters === undefined) return;
  const known = await seen.load();
  const told = await tellPeople(context, matters, known.told);
  await seen.save({ ...known, told }).catch(() => undefined);
}
