import type { Verb } from '../../local-api/replies.ts';
import type { Permission } from '../system/authority.ts';

interface Rule {
  readonly permission: Permission;
  /** What becomes of it when the caller goes away: what was begun is undone, or is carried to its end. */
  readonly whenLeft: 'cancel' | 'finish';
}

/** Who may call what. A verb without a row does not compile. */
export const RULES: Readonly<Record<Verb, Rule>> = {
  status: { permission: 'read', whenLeft: 'cancel' },
  doctor: { permission: 'read', whenLeft: 'cancel' },
  check: { permission: 'upkeep', whenLeft: 'finish' },
  renew: { permission: 'upkeep', whenLeft: 'finish' },
  enroll: { permission: 'enroll', whenLeft: 'cancel' },
  uninstall: { permission: 'uninstall', whenLeft: 'finish' },
  mend: { permission: 'upkeep', whenLeft: 'finish' },
  // What holds the tunnel's key is shown to an administrator alone: see TunnelApp.offer.
  tunnel: { permission: 'repair', whenLeft: 'cancel' },
  repair: { permission: 'repair', whenLeft: 'finish' },
  'support-bundle': { permission: 'support', whenLeft: 'cancel' },
};
