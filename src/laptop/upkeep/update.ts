import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';

import { KiwiError, toKiwiError } from '../../core/errors.ts';
import type { UpdateManifest, UpdatePackage } from '../../protocol/update-manifest.ts';
import { downloadPackage } from '../fleet-agent/download-package.ts';
import type { GatewayClient } from '../gateway-client/gateway-client.ts';
import { openGatewayClient } from '../gateway-client/open-gateway-client.ts';
import { ENROLLMENT } from '../enrollment/plan.ts';
import { inStateFolder } from '../state/in-state-folder.ts';
import { NewestRelease } from '../state/newest-release.ts';
import type { LaptopContext } from '../system/laptop-context.ts';
import { decideUpdate } from '../update/decide-update.ts';
import { openManifest, readReleaseKeys } from '../update/open-manifest.ts';

export interface UpdateResult {
  /** `not-pinned`: the package names no release key, so that this laptop is updated by other means. */
  readonly result:
    'updated' | 'current' | 'not-yet' | 'not-for-this-laptop' | 'not-offered' | 'not-pinned' | 'not-enrolled';
  /** The version that is offered. */
  readonly version?: string;
}

/**
 * Takes the version that the provider has released, if it is newer and this laptop's turn. The gateway only hands on what the provider has signed.
 * If anything fails, the installed version stays.
 *
 * @throws KiwiError `update-not-proven`, `update-expired`, `update-replayed`, `update-unfit`, `update-not-installed`; `gateway-*`, `disk-full`,
 *   `package-manager-busy`, `not-root`, `already-running`
 */
export async function update(context: LaptopContext): Promise<UpdateResult> {
  const { platform } = context;
  const pinned = await platform.updater.releaseKeys();
  if (pinned === undefined) return { result: 'not-pinned' };
  const keys = readReleaseKeys(pinned);
  // Under the lock: nobody else changes this laptop's enrollment while programs are replaced.
  return inStateFolder(
    platform.stateFolder,
    ENROLLMENT,
    async ({ file }) => {
      const record = await file.load();
      const deviceId = record?.device?.deviceId;
      if (record === undefined || deviceId === undefined) return { result: 'not-enrolled' };
      const client = await openGatewayClient(context, record.gatewayUrl, { retries: 1, keptProxy: record.proxy });
      try {
        const manifest = await offered(client, context, keys);
        if (manifest === undefined) return { result: 'not-offered' };
        const decision = decideUpdate(manifest, { installed: await platform.updater.installed(), deviceId });
        const { version } = manifest;
        if (decision.result !== 'update') return { result: decision.result, version };
        await take(client, context, { gatewayUrl: record.gatewayUrl, version, packages: decision.packages });
        return { result: 'updated', version };
      } finally {
        await client.close();
      }
    },
    context,
  );
}

/** What the gateway hands on, opened. From now on nothing older is taken. */
async function offered(
  client: GatewayClient,
  { platform, clock, signal }: LaptopContext,
  keys: ReturnType<typeof readReleaseKeys>,
): Promise<UpdateManifest | undefined> {
  const jws = await client.updateManifest(signal).catch((error: unknown) => {
    if (toKiwiError(error).code === 'not-found') return undefined;
    throw error;
  });
  if (jws === undefined) return undefined;
  const seen = new NewestRelease(platform.stateFolder);
  const newest = await seen.load();
  const manifest = openManifest(jws, { keys, now: clock.now(), newest });
  if (Date.parse(manifest.issuedAt) !== newest) await seen.save(manifest.issuedAt);
  return manifest;
}

interface Take {
  readonly gatewayUrl: string;
  readonly version: string;
  readonly packages: readonly UpdatePackage[];
}

/** Downloads all packages before the first is installed. Each exists under its name only with the bytes that were signed. */
async function take(
  client: GatewayClient,
  context: LaptopContext,
  { gatewayUrl, version, packages }: Take,
): Promise<void> {
  const { platform, signal, waiting } = context;
  await mkdir(platform.stateFolder, { recursive: true, mode: 0o700 });
  const folder = await mkdtemp(path.join(platform.stateFolder, 'update-'));
  try {
    const files: { name: UpdatePackage['name']; file: string }[] = [];
    for (const { name, file: called, sha256, size } of packages) {
      const file = path.join(folder, called);
      const url = new URL(`/packages/${sha256}/${encodeURIComponent(called)}`, gatewayUrl).href;
      const hash = Buffer.from(sha256, 'hex').toString('base64url');
      await downloadPackage({ url, sha256: hash, size, file, dispatcher: client.dispatcher, signal }).catch(asUpdate);
      files.push({ name, file });
    }
    signal.throwIfAborted();
    await platform.updater.install({ version, packages: files, waiting });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A Fleet package has the same trouble, and another text. */
function asUpdate(error: unknown): never {
  if (error instanceof KiwiError && error.code === 'package-hash-mismatch') {
    throw new KiwiError('update-unfit', { detail: error.detail ?? '', cause: error });
  }
  throw error;
}
