import type { AgentRequest } from '../../local-api/messages.ts';

/** polkit actions (installers/linux/polkit), which say for whom each is allowed. */
export const PERMISSIONS = {
  /** Looks, and changes nothing: whoever is logged in at this laptop. */
  read: 'io.kiwistack.enroll.read',
  /** Does now what a timer does anyway: whoever sits at this laptop. */
  maintain: 'io.kiwistack.enroll.maintain',
  enroll: 'io.kiwistack.enroll.enroll',
  uninstall: 'io.kiwistack.enroll.uninstall',
} as const;
export type Permission = (typeof PERMISSIONS)[keyof typeof PERMISSIONS];

/** One permission a verb. */
export function permissionFor(request: AgentRequest): Permission {
  switch (request.verb) {
    case 'status':
      return PERMISSIONS.read;
    case 'doctor':
      return request.fix === true ? PERMISSIONS.maintain : PERMISSIONS.read;
    case 'check':
    case 'renew':
    case 'mend':
      return PERMISSIONS.maintain;
    case 'enroll':
      return PERMISSIONS.enroll;
    case 'uninstall':
      return PERMISSIONS.uninstall;
  }
}

/**
 * Whether a command is cancelled, and so undone, when its caller goes away. One that only completes what a timer would do
 * is not worse off without anybody who waits for it.
 */
export function endsWithCaller({ verb }: AgentRequest): boolean {
  return verb === 'enroll' || verb === 'status' || verb === 'doctor';
}
