import type { ErrorCode } from '../../core/error-codes.ts';
import { KiwiError } from '../../core/errors.ts';
import type { AgentStatus } from '../system/fleet-agent.ts';

/** Reasons that waiting does not fix: the server has answered and refused. */
const FINAL: ReadonlySet<ErrorCode> = new Set(['fleet-refused', 'fleet-half-enrolled', 'fleet-tls']);

/** A refusal that is followed by success within this time does not count: osquery retries after a hiccup of the tunnel. */
const PATIENCE_MS = 5000;

/** Decides when further waiting for green is pointless: when a final reason has persisted for a while. */
export class FinalReason {
  #since: number | undefined;

  /** @param now monotonic, milliseconds */
  hasSettled(reason: KiwiError, now: number): boolean {
    if (!FINAL.has(reason.code)) {
      this.#since = undefined;
      return false;
    }
    this.#since ??= now;
    return now - this.#since >= PATIENCE_MS;
  }
}

interface Sign {
  readonly pattern: RegExp;
  readonly says: (status: AgentStatus) => KiwiError;
}

/**
 * What orbit and osqueryd write to the journal when enrollment fails there; the first pattern that matches a line decides.
 */
const SIGNS: readonly Sign[] = [
  {
    pattern: /END_USER_AUTH_REQUIRED|end user authentication required/i,
    says: () =>
      new KiwiError('fleet-refused', {
        detail: 'Fleet requires the user to sign in before a laptop enrolls',
        hint: 'Tell your operator: end user authentication is switched on in Fleet and must be off for this team.',
      }),
  },
  {
    pattern: /x509:|certificate verify failed|certificate signed by unknown authority|tls: failed to verify/i,
    says: (status) =>
      status.orbitEnrolled
        ? new KiwiError('fleet-half-enrolled', { detail: "osquery does not trust the Fleet server's certificate" })
        : new KiwiError('fleet-tls', { detail: "the agent does not trust the Fleet server's certificate" }),
  },
  {
    // osqueryd's own enrollment; before the general 401, because orbit may have enrolled long ago.
    pattern: /Failed enrollment request|node_invalid|No node key returned/i,
    says: (status) =>
      new KiwiError(status.orbitEnrolled ? 'fleet-half-enrolled' : 'fleet-refused', {
        detail: 'Fleet refuses the enrollment of osquery',
      }),
  },
  {
    pattern:
      /(?:HTTP|status)(?: code)?:? 401\b|unauthenticated|Authentication failed|invalid enroll secret|orbit node key enroll failed/i,
    says: (status) =>
      new KiwiError(status.orbitEnrolled ? 'fleet-half-enrolled' : 'fleet-refused', {
        detail: 'Fleet answers 401 to the agent',
      }),
  },
  {
    pattern: /hardware UUID is empty/i,
    says: () => new KiwiError('agent-not-running', { detail: 'the agent finds no hardware UUID' }),
  },
  {
    pattern: /no such host|connection refused|i\/o timeout|network is unreachable|no route to host|deadline exceeded/i,
    says: () => new KiwiError('fleet-unreachable', { detail: 'the agent cannot reach the Fleet server' }),
  },
];

/** A node key that Fleet does not know, such as an empty one after a power cut: orbit throws it away, says so, and enrolls anew within half a minute. */
const KEY_THROWN_AWAY = /deleted orbit node key file/i;
const ENROLLS = /orbit enroll attempt failed|orbit node key enroll failed/i;
/** Of a request with the node key. */
const KEY_UNKNOWN = /unauthenticated/i;

/** Without what is said of a key that orbit has thrown away since: whether Fleet refuses it is shown by how it enrolls then. */
function withoutOldKeys(lines: readonly string[]): readonly string[] {
  if (!lines.some((line) => KEY_THROWN_AWAY.test(line))) return lines;
  return lines.filter((line) => ENROLLS.test(line) || !KEY_UNKNOWN.test(line));
}

/**
 * Why a laptop does not become green, judged by the agent's log since its installation and by its state. Only classes of
 * failure leave this function, never lines of the log.
 */
export function classifyAgentLog(log: string, status: AgentStatus): KiwiError {
  // From the end: the last message describes the current state; a first attempt before the tunnel was up does not.
  for (const line of withoutOldKeys(log.split('\n')).toReversed()) {
    for (const { pattern, says } of SIGNS) if (pattern.test(line)) return says(status);
  }
  if (!status.running) return new KiwiError('agent-not-running');
  return new KiwiError('fleet-not-green', {
    detail: status.orbitEnrolled
      ? 'orbit is enrolled; nothing in the log says why osquery is not'
      : 'orbit has not enrolled',
  });
}
