import { linuxPlatform } from '../../../../platform/linux/index.ts';
import type { AgentSettings } from '../../../../src/agent-install/agent-package.ts';
import { checkFleetReachable } from '../../../../src/agent-install/check-fleet-reachable.ts';
import { classifyAgentLog } from '../../../../src/agent-install/classify-agent-log.ts';
import { waitForNodeKey } from '../../../../src/agent-install/wait-for-node-key.ts';
import { systemClock } from '../../../../src/core/clock.ts';
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
