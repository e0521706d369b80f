import { describe, expect, it } from 'vitest';

import { classifyAgentLog } from '../../../../src/laptop/fleet-agent/classify-agent-log.ts';
import type { AgentStatus } from '../../../../src/laptop/system/fleet-agent.ts';

const status = (more: Partial<AgentStatus> = {}): AgentStatus => ({
  version: '1.48.0',
  configuredByUs: true,
  running: true,
  orbitEnrolled: false,
  ...more,
});
const orbit = status({ orbitEnrolled: true });
const enroll = 'POST /api/fleet/orbit/enroll';

describe('why a laptop does not become green', () => {
  it.each<[why: string, log: string, status: AgentStatus, code: string]>([
    [
      'a wrong secret',
      `2026-11-21T12:00:00Z INF orbit enroll attempt failed error="${enroll} received status 401 Authentication failed"`,
      status(),
      'fleet-refused',
    ],
    [
      'a user who must sign in first',
      `INF orbit enroll attempt failed error="${enroll} received status 401 END_USER_AUTH_REQUIRED"`,
      status(),
      'fleet-refused',
    ],
    [
      'another root than the promised one',
      `ERR pinging server error="${enroll}: tls: failed to verify certificate: x509: certificate signed by unknown authority"`,
      status(),
      'fleet-tls',
    ],
    [
      'a wrong secret, as orbit words it',
      'INF orbit enroll attempt failed error="unauthenticated, or invalid token"',
      status(),
      'fleet-refused',
    ],
    [
      'a user who must sign in first, as orbit words it',
      'INF orbit enroll attempt failed error="end user authentication required"',
      status(),
      'fleet-refused',
    ],
    [
      'osquery that trusts another root than orbit',
      'W1121 12:00:00.1 1 tls_enroll.cpp:101] Failed enrollment request to https://fleet/api/v1/osquery/enroll (Request error: certificate verify failed) retrying...',
      orbit,
      'fleet-half-enrolled',
    ],
    [
      'osquery that is refused',
      'W1121 12:00:00.1 1 tls_enroll.cpp:101] Failed enrollment request to https://fleet/api/v1/osquery/enroll (No node key returned from TLS enroll plugin) retrying...',
      orbit,
      'fleet-half-enrolled',
    ],
    [
      'no way to the server',
      `ERR pinging server error="${enroll}: dial tcp: connection refused"`,
      status(),
      'fleet-unreachable',
    ],
    ['a name that does not resolve', 'ERR error="dial tcp: lookup fleet: no such host"', status(), 'fleet-unreachable'],
    [
      'a machine without a UUID',
      'FTL run osqueryd error="getting system info: hardware UUID is empty"',
      status({ running: false }),
      'agent-not-running',
    ],
    ['an agent that ended without a word', '', status({ running: false }), 'agent-not-running'],
    ['nothing that the log knows of', 'INF running orbit', orbit, 'fleet-not-green'],
    ['nothing that the log knows of, at the start', '', status(), 'fleet-not-green'],
  ])('%s', (_why, log, state, code) => {
    expect(classifyAgentLog(log, state).code).toBe(code);
  });

  it('is what the agent said last', () => {
    const log = [
      'ERR pinging server error="dial tcp: connection refused"',
      'INF orbit enroll attempt failed error="unauthenticated, or invalid token"',
      'INF something else',
    ];
    expect(classifyAgentLog(log.join('\n'), status()).code).toBe('fleet-refused');
    expect(classifyAgentLog(log.reverse().join('\n'), status()).code).toBe('fleet-unreachable');
  });

  it('is not that of a node key which orbit has thrown away: it enrolls anew', () => {
    // As after a power cut, which left the file of the node key empty.
    const thrownAway = [
      'INF deleted orbit node key file after receiving unauthenticated error',
      'ERR failed initial config fetch: RunConfigReceivers get config: unauthenticated, or invalid token',
    ];
    expect(classifyAgentLog(thrownAway.join('\n'), status()).code).toBe('fleet-not-green');
    const refused = [...thrownAway, 'INF orbit enroll attempt failed error="unauthenticated, or invalid token"'];
    expect(classifyAgentLog(refused.join('\n'), status()).code).toBe('fleet-refused');
    expect(classifyAgentLog(thrownAway.slice(1).join('\n'), status()).code).toBe('fleet-refused');
  });

  it('never repeats the log, which others wrote', () => {
    const error = classifyAgentLog('401 secret=hunter2', status());
    expect(`${error.message} ${error.hint} ${String(error.detail)}`).not.toContain('hunter2');
  });
});
