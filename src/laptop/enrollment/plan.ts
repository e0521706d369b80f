import type { PlanName } from '../pipeline/journal.ts';
import type { EnrollmentPlan } from './enrollment-run.ts';
import { agent } from './steps/agent.ts';
import { certificate } from './steps/certificate.ts';
import { confirm } from './steps/confirm.ts';
import { deviceKey } from './steps/device-key.ts';
import { grant } from './steps/grant.ts';
import { green } from './steps/green.ts';
import { key } from './steps/key.ts';
import { preflight } from './steps/preflight.ts';
import { slice } from './steps/slice.ts';
import { statement } from './steps/statement.ts';
import { trust } from './steps/trust.ts';
import { tunnel } from './steps/tunnel.ts';

/** The name of this plan in its journal. The journals of version 0.1.0 have no name. */
export const ENROLLMENT: PlanName = { name: 'enrollment', version: 1, wroteUnnamed: true };

const ASKS: EnrollmentPlan = [
  preflight, // can this laptop be enrolled at all?
  key, // a YubiKey with a KiwiStack certificate, which names the customer
  deviceKey, // made and stored here; the first message commits to it
  slice, // the other side proves that it is this customer's slice, before any PIN
  statement, // PIN, touch: the YubiKey and the device key sign; the slice grants
];

const APPLIES: EnrollmentPlan = [
  grant, // every part of the grant compared with the request
  certificate, // device certificate, intermediate and root into /etc/step
  {
    lanes: [
      [trust], // the root into the system's trust store: takes a second on Debian, so it runs in parallel
      [
        tunnel, // WireGuard, with a key derived from the device key
        agent, // the Fleet agent, both of its planes
      ],
    ],
  },
];

/** The enrollment at a glance. Undo runs through it in reverse. */
export const ENROLLMENT_PLAN: EnrollmentPlan = [
  ...ASKS,
  ...APPLIES,
  confirm, // pending becomes active at the slice
  green, // Fleet reports the laptop as online, through the slice
];

/** What an uninstallation undoes: all but `statement`, whose undo deregisters at the slice, which is done by then. */
export const LOCAL_PLAN: EnrollmentPlan = ENROLLMENT_PLAN.filter((item) => item !== statement);
