import { notKnown, well, type Finding } from '../../checks/check.ts';
import type { FleetConfig } from '../config/fleet-config.ts';
import { lookAtFleet } from '../fleet/look-at-fleet.ts';
import { unwell, type SliceCheck, type SliceFacts } from './slice-facts.ts';

const AGAIN = 'Write a new fleet.json, and run `kiwistack-slice fleet --config FILE`; then restart the slice.';
/** The roles of Fleet that may delete, lock and wipe hosts, and change enroll secrets. */
const MAY = ['admin', 'maintainer', 'gitops'];
const MAX_SKEW_MS = 5 * 60_000;

export const configured: SliceCheck = {
  code: 'fleet-configured',
  severity: 'failure',
  what: 'The slice knows its Fleet server.',
  matters: 'No laptop can enroll: an enrollment ends when Fleet reports the laptop as online.',
  dependsOn: [],
  async run(facts) {
    const fleet = await facts.fleet();
    return fleet === undefined ? unwell('there is no fleet.json', AGAIN) : well(fleet.url);
  },
};

export const answers: SliceCheck = {
  code: 'fleet-answers',
  severity: 'failure',
  what: 'Fleet answers, with a certificate under the configured CA.',
  matters: 'No laptop becomes green; the agents on the laptops trust the same CA.',
  dependsOn: ['fleet-configured'],
  run: withFleet(async (fleet) => {
    const { status, why } = await lookAtFleet(fleet, '/healthz');
    return status === undefined
      ? unwell(why ?? '', 'Check the server, its address, and serverCaFile.')
      : well(`${fleet.url}: ${status}`);
  }),
};

export const token: SliceCheck = {
  code: 'fleet-token',
  severity: 'failure',
  what: "Fleet accepts the slice's API token.",
  matters: 'The slice cannot see whether a laptop is online, so no enrollment ends.',
  dependsOn: ['fleet-answers'],
  run: withFleet(async (fleet) => {
    const { status } = await lookAtFleet(fleet, '/api/v1/fleet/hosts?per_page=1');
    return status === 200
      ? well('hosts can be read')
      : unwell(`Fleet answers ${status ?? 'nothing'}`, `Make a new API token in Fleet. ${AGAIN}`);
  }),
};

export const allowed: SliceCheck = {
  code: 'fleet-token-allowed',
  severity: 'warning',
  what: 'The API token may delete hosts, and lock and wipe them.',
  matters: 'Hosts of ended laptops stay in Fleet, and a lost laptop is not locked.',
  dependsOn: ['fleet-token'],
  run: withFleet(async (fleet) => {
    const { status, role } = await lookAtFleet(fleet, '/api/v1/fleet/me');
    if (status !== 200 || role === undefined) return notKnown('Fleet does not tell the role of this token');
    return MAY.includes(role)
      ? well(`role ${role}`)
      : unwell(`its role is ${role}`, `Give its user the role maintainer in Fleet. ${AGAIN}`);
  }),
};

export const clockLikeFleet: SliceCheck = {
  code: 'clock-like-fleet',
  severity: 'warning',
  what: 'The clocks of this machine and of Fleet agree within five minutes.',
  matters:
    'One of them is wrong; a slice whose clock is wrong refuses laptops and issues certificates with wrong times.',
  dependsOn: ['fleet-answers'],
  run: withFleet(async (fleet, { clock }) => {
    const said = (await lookAtFleet(fleet, '/healthz')).date;
    if (said === undefined) return notKnown('Fleet does not say its time');
    const seconds = Math.round(Math.abs(said - clock.now()) / 1000);
    return seconds * 1000 > MAX_SKEW_MS
      ? unwell(`${seconds} s apart`, 'Set the clock that is wrong, and turn on network time.')
      : well(`${seconds} s apart`);
  }),
};

/** Of what only a slice with a Fleet server has. */
function withFleet(
  look: (fleet: FleetConfig, facts: SliceFacts) => Promise<Finding>,
): (facts: SliceFacts) => Promise<Finding> {
  return async (facts) => {
    const fleet = await facts.fleet();
    return fleet === undefined ? notKnown('there is no fleet.json') : look(fleet, facts);
  };
}
