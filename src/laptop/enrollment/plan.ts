import type { PlanName } from '../pipeline/journal.ts';
import type { EnrollmentPlan } from './enrollment-run.ts';
import { agent } from './steps/agent.ts';
import { certificate } from './steps/certificate.ts';
import { confirmApplied } from './steps/confirm.ts';
import { deviceKey } from './steps/device-key.ts';
import { grant } from './steps/grant.ts';
import { green } from './steps/green.ts';
import { key } from './steps/key.ts';
import { preflight } from './steps/preflight.ts';
import { slice } from './steps/slice.ts';
import { statement } from './steps/statement.ts';
import { trust } from './steps/trust.ts';
import { tunnel } from './steps/tunnel.ts';

/** In its journal. The journals of 0.1.0 had no name. */
export const ENROLLMENT: PlanName = { name: 'enrollment', version: 1, wroteUnnamed: true };

const ASKS: EnrollmentPlan = [
  preflight, // can this laptop be enrolled at all?
  key, // a YubiKey with a KiwiStack certificate, which says whose it is
  deviceKey, // made and stored here; the first message commits to it
  slice, // the other side proves that it is this customer's slice, before any PIN
  statement, // PIN, touch: the YubiKey and the device key sign; the slice grants
];

const APPLIES: EnrollmentPlan = [
  grant, // every part of the grant held against what was asked for
  certificate, // device certificate, intermediate and root into /etc/step
  {
    lanes: [
      [trust], // the root into the system's trust store: Debian takes a second for it, so it goes on beside
      [
        tunnel, // WireGuard on a key derived from the device key
        agent, // the Fleet agent, both of its planes
      ],
    ],
  },
];

/** The enrollment, as a table of contents. Undo goes through it from the end. */
export const ENROLLMENT_PLAN: EnrollmentPlan = [
  ...ASKS,
  ...APPLIES,
  confirmApplied(APPLIES), // pending becomes active at the slice
  green, // Fleet itself says so, through the slice
];

/** What an uninstallation undoes. Taking leave from the slice is the statement's undo, and has been done by then. */
export const LOCAL_PLAN: EnrollmentPlan = ENROLLMENT_PLAN.filter((item) => item !== statement);
