import { toKiwiError } from '../../core/errors.ts';
import { BUNDLES } from '../decisions/bundle-limits.ts';
import type { AuditEntry } from '../registry/registry.ts';
import type { SliceContext } from '../slice-context.ts';
import { forgetFleetHosts } from './forget-fleet-hosts.ts';
import { removePeer, revokeWanted, settleEnded } from './settle-ended.ts';
import { settleAccounts } from './settle-accounts.ts';
import { settleLosses } from './settle-losses.ts';
import { sliceAudit } from './slice-audit.ts';

const INTERVAL_MS = 2000;

/** Every how many rounds the endpoint is compared with the registry, and slice.json with the audit. */
const RECONCILE_EVERY = 15;
/** Every how many rounds the audit is sealed: what is newer can still be changed unseen. */
const SEAL_EVERY = 5;
/** Every how many rounds Fleet hosts are deleted. */
const FLEET_EVERY = 3;

/**
 * One round of maintenance that no request triggers: ends devices that were never confirmed, rolls back reservations
 * that a crash left, deletes the keys of expired sessions and old support bundles, and revokes certificates that are due. Every task
 * runs, even when one before it failed; failures are logged and retried in the next round.
 */
export async function reap(slice: SliceContext): Promise<void> {
  const { registry, clock } = slice;
  const now = clock.now();
  await attempt(slice, 'devices that did not confirm', async () => {
    for (const device of await registry.unconfirmedDevices(now)) {
      const why = `${device.hostName} did not confirm in time`;
      await registry.endDevice(device.id, 'unconfirmed', now, deviceAudit('device.end', device, why));
      await settleEnded(slice, device.id);
    }
  });
  await attempt(slice, 'abandoned reservations', async () => {
    for (const device of await registry.abandonedReservations(now)) {
      await registry.rollbackReservation(device.id);
      await registry.audit(deviceAudit('enrollment.rollback', device, 'its run ended in the middle'), now);
      await settleEnded(slice, device.id);
    }
  });
  await attempt(slice, 'peers of ended devices', async () => {
    for (const device of await registry.listDuties('peer', 100)) await removePeer(slice, device);
  });
  await attempt(slice, 'sessions', () => registry.forgetSessions(now));
  await attempt(slice, 'support bundles', () => registry.forgetBundles(now - BUNDLES.days * 86_400_000));
  await attempt(slice, 'revocations', () => revokeWanted(slice));
}

/** Repeats `reap` until the signal fires. */
export async function reapUntil(slice: SliceContext, signal: AbortSignal): Promise<void> {
  let losses: Promise<void> | undefined;
  let accounts: Promise<void> | undefined;
  for (let round = 1; ; round++) {
    try {
      await slice.clock.sleep(INTERVAL_MS, signal);
    } catch (error) {
      if (!isAborted(signal)) throw error;
      await Promise.all([losses, accounts]);
      return;
    }
    await reap(slice);
    // Beside the rounds: a Fleet or a directory that does not answer must not keep the peer of another laptop.
    losses ??= attempt(slice, 'lost laptops', () => settleLosses(slice)).finally(() => (losses = undefined));
    accounts ??= attempt(slice, 'accounts in the directory', () => settleAccounts(slice)).finally(
      () => (accounts = undefined),
    );
    if (round % FLEET_EVERY === 0) await attempt(slice, 'hosts in Fleet', () => forgetFleetHosts(slice));
    if (round % SEAL_EVERY === 0) await attempt(slice, 'the seal of the audit', () => slice.auditSeal.seal());
    if (round % RECONCILE_EVERY === 0) {
      await attempt(slice, 'the settings', () => slice.settings.look(signal));
      await attempt(slice, 'peers', () => reconcilePeers(slice));
      await attempt(slice, 'the registry', () => slice.registry.tidy());
    }
  }
}

async function attempt(slice: SliceContext, duty: string, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const { code, detail } = toKiwiError(error);
    slice.log.warn({ duty, code, detail }, 'upkeep failed');
  }
}

// A function, because the compiler does not know that a signal can change during an await.
const isAborted = (signal: AbortSignal): boolean => signal.aborted;

/** Makes the endpoint's peers match the registry. */
export async function reconcilePeers(slice: Pick<SliceContext, 'registry' | 'endpoint'>): Promise<void> {
  const peers = await slice.registry.livePeers();
  await slice.endpoint.reconcile(
    peers.map(({ wireguardPublicKey, presharedKey, address, restricted }) => ({
      publicKey: wireguardPublicKey,
      presharedKey,
      address,
      restricted,
    })),
  );
}

function deviceAudit(action: string, device: { id: string; yubikeySerial: number | null }, why: string): AuditEntry {
  const { yubikeySerial } = device;
  return { ...sliceAudit(action, device.id, why), ...(yubikeySerial === null ? {} : { yubikeySerial }) };
}
