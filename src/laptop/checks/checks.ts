import * as certificate from './certificate.ts';
import type { Check } from './check.ts';
import * as clock from './clock.ts';
import * as disk from './disk.ts';
import { diskRecoveryKey } from './disk-recovery-key.ts';
import * as dns from './dns.ts';
import { enrollmentComplete, recordReadable } from './enrollment-complete.ts';
import { filesOfOurs } from './files-of-ours.ts';
import * as fleet from './fleet.ts';
import * as key from './key.ts';
import * as leftovers from './leftovers.ts';
import * as package_ from './package.ts';
import * as permissions from './permissions.ts';
import { proxySame } from './proxy.ts';
import * as renewal from './renewal.ts';
import * as routes from './routes.ts';
import * as service from './service.ts';
import { signIn, signInCertificate } from './sign-in.ts';
import * as slice from './slice.ts';
import * as trust from './trust.ts';
import { tunnelKeeper } from './tunnel-keeper.ts';
import * as peer from './tunnel-peer.ts';
import * as tunnel from './tunnel.ts';

export interface Subject {
  readonly title: string;
  readonly checks: readonly Check[];
}

/** Everything that must be well on an enrolled laptop, by subject. A check comes after those that it depends on. */
export const SUBJECTS: readonly Subject[] = [
  {
    title: 'enrollment',
    checks: [recordReadable, enrollmentComplete, leftovers.notHalfRemoved],
  },
  { title: 'clock', checks: [clock.clockPlausible, clock.clockSynchronised] },
  { title: 'disk', checks: [disk.diskWritable, disk.diskSpace, disk.diskInodes] },
  {
    title: 'programs',
    checks: [package_.programsThere, package_.wireguardThere, package_.packageIntact, package_.versionRuns],
  },
  { title: 'device key', checks: [permissions.keyPrivate, key.deviceKeyThere] },
  {
    title: 'certificate',
    checks: [
      certificate.certificatePresent,
      certificate.certificateBegun,
      certificate.certificateValid,
      key.keyMatchesCertificate,
      certificate.certificateUsable,
      certificate.rootsPinned,
      certificate.certificateChains,
      renewal.certificateRenewed,
      renewal.renewalCounted,
      service.timerActive,
      service.checkSucceeded,
      service.agentSocketActive,
    ],
  },
  {
    title: 'tunnel',
    checks: [
      tunnel.tunnelUp,
      tunnel.tunnelAtBoot,
      tunnelKeeper,
      peer.tunnelAsGranted,
      peer.tunnelKeptAlive,
      service.watcherActive,
      key.tunnelKeyDerived,
      routes.networksApart,
      routes.routesInside,
      routes.routesOutside,
      tunnel.tunnelEndpointKnown,
      peer.udpPasses,
      peer.tunnelHandshake,
      tunnel.tunnelReachesInside,
      tunnel.tunnelPacketSize,
    ],
  },
  {
    title: 'names',
    checks: [dns.gatewayNamed, dns.splitDns, dns.publicNamesOutside, dns.domainsApart, dns.insideNamed],
  },
  { title: 'trust', checks: [trust.systemTrusts, trust.trustLasts, trust.firefoxTrusts, trust.chromiumTrusts] },
  {
    title: 'slice',
    checks: [
      proxySame,
      slice.sliceAnswers,
      slice.sliceActive,
      clock.clockLikeSlice,
      slice.hardwareSame,
      slice.hardwareSeenElsewhere,
    ],
  },
  { title: 'recovery key', checks: [diskRecoveryKey] },
  {
    title: 'Fleet',
    checks: [
      fleet.agentRunning,
      fleet.agentOurs,
      fleet.agentAtBoot,
      fleet.agentSteady,
      fleet.agentEnrolled,
      fleet.secretForgotten,
      fleet.osqueryEnrolled,
      fleet.fleetOnline,
      fleet.agentLog,
    ],
  },
  { title: 'sign-in', checks: [signIn, signInCertificate] },
  // Last, because what is missing mostly shows in one of the checks above, which says what that means.
  { title: 'files', checks: [filesOfOurs, permissions.filesPrivate] },
  { title: 'earlier runs', checks: [leftovers.farewellsTold, leftovers.runEnded, leftovers.nothingUnfinished] },
];

export const CHECKS: readonly Check[] = SUBJECTS.flatMap(({ checks }) => checks);
