import type { Seen } from '../state/seen.ts';
import type { DesktopSession } from '../system/desktop.ts';
import type { LaptopContext } from '../system/laptop-context.ts';
import { NOTICES, type Matter, type Matters } from './matters.ts';

type Told = Seen['told'][number];

/**
 * Tells whoever is logged in at a screen of each matter, once for each person, and takes the notice away when the matter is over. Without
 * anybody there, the next check tells it.
 *
 * @param before what was told
 * @returns what is told now, to be kept until the next check
 */
export async function tellPeople(
  { platform: { desktop }, clock, log }: LaptopContext,
  matters: Matters,
  before: readonly Told[],
): Promise<Told[]> {
  const kept = before.filter(({ matter }) => isOn(matter, matters));
  const over = before.filter((told) => !kept.includes(told));
  if (over.length === 0 && matters.now.size === 0 && kept.length === 0) return [];
  const sessions = await desktop.sessions();
  for (const { matter, shown } of over) {
    log?.write('info', 'notice', { matter, state: 'withdrawn' });
    for (const { session, uid, notice } of shown) {
      // A later session of the same user has other notices under the same numbers.
      const same = sessions.find((one) => one.id === session && one.uid === uid);
      if (same !== undefined) await desktop.close(same, notice);
    }
  }
  const told = [...kept];
  for (const matter of matters.now) {
    const known = told.find((one) => one.matter === matter);
    const shown = await show(matter, sessions, known?.shown ?? []);
    if (shown.length === 0 && known === undefined) {
      log?.write('info', 'notice', { matter, state: 'nobody' });
      continue;
    }
    if (shown.length > 0) log?.write('info', 'notice', { matter, state: 'told' });
    const at = known?.at ?? new Date(clock.now()).toISOString();
    told.splice(known === undefined ? told.length : told.indexOf(known), known === undefined ? 0 : 1, {
      ...{ matter, at },
      shown: [...(known?.shown ?? []), ...shown].slice(-16),
    });
  }
  return told;

  async function show(
    matter: Matter,
    to: readonly DesktopSession[],
    already: Told['shown'],
  ): Promise<Told['shown'][number][]> {
    const now: Told['shown'][number][] = [];
    for (const session of to) {
      if ([...already, ...now].some(({ uid }) => uid === session.uid)) continue;
      const notice = await desktop.show(session, NOTICES[matter]);
      if (notice !== undefined) now.push({ session: session.id, uid: session.uid, notice });
    }
    return now;
  }
}

function isOn(matter: string, { now, unknown }: Matters): boolean {
  return [...now, ...unknown].some((one) => one === matter);
}
