import { KiwiError } from '../../core/errors.ts';
import { notWell, well, type Check } from './check.ts';

export const agentRunning: Check = {
  code: 'agent-running',
  severity: 'failure',
  what: 'The Fleet agent is running.',
  matters: 'The organisation cannot manage this laptop.',
  dependsOn: [],
  async run({ agent }) {
    const { running, version } = await agent();
    if (running) return well(`version ${version ?? 'unknown'}, running`);
    if (version !== undefined) return notWell(new KiwiError('agent-not-running'), 'restart-agent');
    return notWell(new KiwiError('agent-not-running', { detail: 'it is not installed' }));
  },
};

export const agentEnrolled: Check = {
  code: 'agent-enrolled',
  severity: 'failure',
  what: 'The Fleet agent has its node key.',
  matters: 'The organisation cannot manage this laptop.',
  dependsOn: ['agent-running'],
  async run({ agent }) {
    if ((await agent()).orbitEnrolled) return well('the agent has a node key');
    return notWell(new KiwiError('fleet-refused', { detail: 'the agent has no node key' }));
  },
};
