import { KiwiError } from '../../core/errors.ts';
import type { Check } from './check.ts';

export const agentRunning: Check = {
  code: 'agent-running',
  severity: 'failure',
  dependsOn: [],
  async run({ agent }) {
    const { running, version } = await agent();
    if (running) return undefined;
    return new KiwiError('agent-not-running', version === undefined ? { detail: 'it is not installed' } : {});
  },
};

export const agentEnrolled: Check = {
  code: 'agent-enrolled',
  severity: 'failure',
  dependsOn: ['agent-running'],
  async run({ agent }) {
    if ((await agent()).orbitEnrolled) return undefined;
    return new KiwiError('fleet-refused', { detail: 'the agent has no node key' });
  },
};
