import { KiwiError } from '../../core/errors.ts';
import { notKnown, notWell, well, type Check } from './check.ts';

/** kiwi/1 itself allows ten minutes; one that is off by a minute is getting there. */
const MUCH_MS = 60_000;
/** Earlier than anything of ours, and later than it will last: such a clock has lost its battery. */
const [EARLIEST, LATEST] = [Date.UTC(2026, 0, 1), Date.UTC(2060, 0, 1)];

export const clockPlausible: Check = {
  code: 'clock-set',
  severity: 'failure',
  what: "This laptop's clock shows a time that can be true.",
  matters: 'Every certificate looks expired or not yet valid.',
  dependsOn: [],
  run({ context: { clock } }) {
    const shows = new Date(clock.now()).toISOString();
    if (clock.now() > EARLIEST && clock.now() < LATEST) return Promise.resolve(well(shows));
    return Promise.resolve(notWell(new KiwiError('clock-unset', { detail: `it shows ${shows}` })));
  },
};

export const clockSynchronised: Check = {
  code: 'clock-synchronised',
  severity: 'warning',
  what: 'A time service keeps the clock.',
  matters: 'The clock will drift until certificates look expired or not yet valid.',
  dependsOn: [],
  async run({ context: { platform } }) {
    const kept = await platform.inspector.clockSynchronised();
    if (kept === undefined) return notKnown('the system does not say');
    return kept ? well('it is synchronised') : notWell(new KiwiError('clock-unsynchronised'));
  },
};

/** The time zone does not matter: only the moment is compared. */
export const clockLikeSlice: Check = {
  code: 'clock-slice',
  severity: 'warning',
  what: "The clock shows the slice's time, within a minute.",
  matters: 'Beyond ten minutes, the slice and this laptop refuse each other.',
  dependsOn: ['slice-answers'],
  async run({ context, slice }) {
    const answer = await slice();
    if (answer instanceof KiwiError) return notKnown(answer.message);
    const ahead = Math.round((context.clock.now() - Date.parse(answer.serverTime)) / 1000);
    const saw = `${Math.abs(ahead)} s ${ahead < 0 ? 'behind' : 'ahead of'} the slice`;
    return Math.abs(ahead) * 1000 <= MUCH_MS ? well(saw) : notWell(new KiwiError('clock-skew', { detail: saw }));
  },
};
