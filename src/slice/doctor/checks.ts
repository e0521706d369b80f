import * as certificates from './certificates.ts';
import * as files from './files.ts';
import * as fleet from './fleet.ts';
import * as network from './network.ts';
import type { SliceCheck } from './slice-facts.ts';
import * as stepCa from './step-ca.ts';

/** Everything that must be well on the machine of a slice. A check comes after those that it depends on. */
export const SLICE_CHECKS: readonly SliceCheck[] = [
  network.running,
  ...[
    files.filesPrivate,
    files.diskSpace,
    files.registryWhole,
    files.auditWhole,
    files.backupRecent,
    files.rootKeyAway,
  ],
  ...[certificates.webCertificate, certificates.webCertificateLasts, certificates.webCertificateLoaded],
  ...[certificates.chain, certificates.intermediateLasts, certificates.rootLasts, certificates.confined],
  ...[stepCa.program, stepCa.safe, stepCa.settings, stepCa.crl],
  ...[
    network.networkFree,
    network.slicesApart,
    network.portsFree,
    network.peers,
    network.forwarding,
    network.packetFilter,
  ],
  ...[fleet.configured, fleet.answers, fleet.token, fleet.allowed],
  ...[files.clockSynchronised, fleet.clockLikeFleet],
];
