import type { PlanName } from '../pipeline/journal.ts';
import type { EnrollmentRecord } from '../state/record.ts';
import type { EnrollmentPlan } from './enrollment-run.ts';
import { acknowledged } from './steps/acknowledged.ts';
import { agent } from './steps/agent.ts';
import { certificate } from './steps/certificate.ts';
import { claim } from './steps/claim.ts';
import { confirm } from './steps/confirm.ts';
import { deviceKey } from './steps/device-key.ts';
import { grant } from './steps/grant.ts';
import { green, ready } from './steps/green.ts';
import { key } from './steps/key.ts';
import { preflight } from './steps/preflight.ts';
import { signIn } from './steps/sign-in.ts';
import { slice } from './steps/slice.ts';
import { spent } from './steps/spent.ts';
import { statement } from './steps/statement.ts';
import { token } from './steps/token.ts';
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
  signIn, // people sign in with the account of their organisation, where that is wanted
  green, // Fleet reports the laptop as online, through the slice
];

/**
 * The same for a laptop with a token. Its undo is the enrollment's, step by step: an enrollment that was claimed is uninstalled, renewed
 * and mended as any other.
 */
export const CLAIM_PLAN: EnrollmentPlan = [
  preflight,
  token, // whose laptop it becomes
  deviceKey,
  slice, // the other side proves that it is the customer's slice, and that it knows the token
  claim, // the token's key and the device key speak; the slice grants
  ...APPLIES,
  acknowledged, // pending becomes active, and the token is used up: from here on nothing is undone
  signIn,
  ready, // as `green`
  spent, // the token is removed: as long as it is there, the next start goes on
];

/** What an uninstallation undoes: all but `statement`, whose undo deregisters at the slice, which is done by then. */
export const LOCAL_PLAN: EnrollmentPlan = ENROLLMENT_PLAN.filter((item) => item !== statement);

/** By which plan an enrollment on record was begun. */
export const planOf = (record: Pick<EnrollmentRecord, 'claim'> | undefined): EnrollmentPlan =>
  record?.claim === undefined ? ENROLLMENT_PLAN : CLAIM_PLAN;
