import { mkdir, rm } from 'node:fs/promises';

import { Agent } from 'undici';

import { linuxPlatform } from '../../../../platform/linux/index.ts';
import type { AgentSettings } from '../../../../src/agent-install/agent-package.ts';
import { checkFleetReachable } from '../../../../src/agent-install/check-fleet-reachable.ts';
import { downloadPackage } from '../../../../src/agent-install/download-package.ts';
import { waitForNodeKey } from '../../../../src/agent-install/wait-for-node-key.ts';
import { systemClock } from '../../../../src/core/clock.ts';
import { answerCall } from './read-call.ts';

export type AgentCall =
  | { verb: 'gate'; url: string; serverCa: string }
  | { verb: 'install'; settings: AgentSettings; packageFile: string; timeoutMs: number }
  | { verb: 'download'; url: string; sha256: string; size: number; ca: string; file: string }
  | { verb: 'status' | 'forgetSecret' | 'uninstall' };

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
    case 'download': {
      const dispatcher = new Agent({ connect: { ca: call.ca } });
      await mkdir('/run/kiwistack', { recursive: true, mode: 0o700 });
      await rm(call.file, { force: true });
      return downloadPackage({ ...call, dispatcher }).finally(() => dispatcher.close());
    }
    case 'status':
    case 'forgetSecret':
    case 'uninstall':
      return agent[call.verb]();
  }
});
