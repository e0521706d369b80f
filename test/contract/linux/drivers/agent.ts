import { linuxPlatform } from '../../../../platform/linux/index.ts';
import { systemClock } from '../../../../src/core/clock.ts';
import { checkFleetReachable } from '../../../../src/laptop/fleet-agent/check-fleet-reachable.ts';
import { classifyAgentLog } from '../../../../src/laptop/fleet-agent/classify-agent-log.ts';
import { waitForNodeKey } from '../../../../src/laptop/fleet-agent/wait-for-node-key.ts';
import type { AgentSettings } from '../../../../src/laptop/system/fleet-agent.ts';
import { answerCall } from './read-call.ts';

export type AgentCall =
  | { verb: 'gate'; url: string; serverCa: string }
  | { verb: 'install'; settings: AgentSettings; packageFile: string; timeoutMs: number }
  | { verb: 'explain' | 'status' | 'forgetSecret' | 'uninstall' };

const { agent } = linuxPlatform();

await answerCall(async (call: AgentCall) => {
  switch (call.verb) {
    case 'gate':
      return checkFleetReachable(call);
    case 'install': {
      const installedAt = Date.now();
      await agent.configure(call.settings);
      await agent.install(call.packageFile);
      return waitForNodeKey({ agent, clock: systemClock, timeoutMs: call.timeoutMs, installedAt });
    }
    case 'explain':
      throw classifyAgentLog(await agent.log(0), await agent.status());
    case 'status':
    case 'forgetSecret':
    case 'uninstall':
      return agent[call.verb]();
  }
});
