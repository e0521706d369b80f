import { agentEnrolled, agentRunning } from './agent.ts';
import { certificateRenewed, certificateValid } from './certificate.ts';
import type { Check } from './check.ts';
import { enrollmentComplete } from './enrollment-complete.ts';
import { filesOfOurs } from './files-of-ours.ts';
import { networksApart } from './networks.ts';
import { fleetOnline, hardwareSame, hardwareSeenElsewhere, sliceActive, sliceAnswers } from './slice.ts';
import { tunnelAtBoot, tunnelEndpointKnown, tunnelPacketSize, tunnelReachesInside, tunnelUp } from './tunnel.ts';

/** Everything that must be well on an enrolled laptop. A check comes after those that it depends on. */
export const CHECKS: readonly Check[] = [
  enrollmentComplete,
  certificateValid,
  certificateRenewed,
  networksApart,
  tunnelUp,
  tunnelAtBoot,
  tunnelEndpointKnown,
  tunnelReachesInside,
  tunnelPacketSize,
  agentRunning,
  agentEnrolled,
  sliceAnswers,
  sliceActive,
  fleetOnline,
  hardwareSame,
  hardwareSeenElsewhere,
  filesOfOurs,
];
