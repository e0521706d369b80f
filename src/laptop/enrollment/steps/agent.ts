import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';

import { KiwiError } from '../../../core/errors.ts';
import { packageKey, type Grant } from '../../../protocol/grant.ts';
import { describeHost } from '../../fingerprint/describe-host.ts';
import { checkFleetReachable } from '../../fleet-agent/check-fleet-reachable.ts';
import { askForPackage, downloadPackage } from '../../fleet-agent/download-package.ts';
import { waitForNodeKey } from '../../fleet-agent/wait-for-node-key.ts';
import type { Platform } from '../../system/platform.ts';
import type { EnrollmentRun, EnrollmentStep } from '../enrollment-run.ts';

const NODE_KEY_MS = 60_000;

/**
 * The Fleet agent: checks first that it could enroll, writes its configuration, installs the package, then waits for its
 * first plane (orbit). A crash leaves at most the download, a partly installed package and its configuration; they are
 * replaced or purged.
 */
export const agent: EnrollmentStep = {
  name: 'agent',
  title: 'Install the Fleet agent',
  async inspect({ platform }) {
    const status = await platform.agent.status();
    return status.running && status.orbitEnrolled && status.configuredByUs ? 'done' : 'absent';
  },

  async apply(run) {
    const { platform, options, signal, record } = run;
    const { grant } = await run.granted();
    const folder = downloadFolder(run.platform);
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true, mode: 0o700 });
    try {
      const file = path.join(folder, 'fleet-osquery.deb');
      const { dispatcher } = await run.client();
      const wanted = await packageFor(run, grant);
      const failed = new AbortController();
      const either = AbortSignal.any([signal, failed.signal]);
      const download = downloadPackage({ ...wanted, file, dispatcher, signal: either, begun: run.package });
      try {
        await Promise.all([checkFleetReachable(grant.fleet, either), download]);
      } catch (error) {
        failed.abort();
        // Until it has ended, it writes to the folder.
        await download.catch(() => undefined);
        throw error;
      }
      await platform.agent.configure({
        url: grant.fleet.url,
        serverCa: grant.fleet.serverCa,
        enrollSecret: grant.fleet.enrollSecret,
        enableScripts: true,
        // Its update server is on the internet, which a laptop may not reach; the slice sends new packages.
        disableUpdates: true,
        startAfter: (await platform.tunnel.status(record.slug)).profile?.unit,
      });
      const installedAt = options.clock.now();
      await platform.agent.install(file, signal, options.waiting);
      await waitForNodeKey({
        agent: platform.agent,
        clock: options.clock,
        timeoutMs: NODE_KEY_MS,
        installedAt,
        signal,
      });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },

  async verify(run) {
    const status = await run.platform.agent.status();
    if (!status.running) throw new KiwiError('agent-not-running');
    // Left by a run that was interrupted when the agent was already installed.
    await rm(downloadFolder(run.platform), { recursive: true, force: true });
  },
  async undo(run) {
    await run.platform.agent.uninstall(run.context.waiting);
    await rm(downloadFolder(run.platform), { recursive: true, force: true });
  },
};

/**
 * Has the package come while the tunnel is brought up: it does not need the tunnel, and over a long way it takes longer than that.
 * What goes wrong surfaces where the package is needed.
 */
export function beginDownload(run: EnrollmentRun): void {
  const ask = async () => {
    const [{ url }, { dispatcher }] = [await packageFor(run, (await run.granted()).grant), await run.client()];
    return askForPackage({ url, dispatcher, signal: run.signal });
  };
  run.package = ask();
  run.package.catch(() => undefined);
}

export const downloadFolder = ({ stateFolder }: Platform): string => path.join(stateFolder, 'download');

async function packageFor(
  run: EnrollmentRun,
  { fleet }: Grant,
): Promise<{ url: string; sha256: string; size: number }> {
  const { os, arch } = await describeHost(run.platform.hardware);
  const wanted = fleet.packages[packageKey.parse(`${os}-${arch}`)];
  if (wanted === undefined) {
    throw new KiwiError('unsupported-system', { detail: `the slice has no Fleet package for ${os} ${arch}` });
  }
  return wanted;
}
