import { readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';

import { z } from 'zod';

import { ignoreMissing } from '../../../src/core/durable-file.ts';
import { KiwiError } from '../../../src/core/errors.ts';
import type { TunnelKeepers } from '../../../src/laptop/system/tunnel-app.ts';
import { addressValue } from '../../../src/laptop/tunnel/profile-values.ts';
import { tunnelLabels } from '../jobs.ts';
import { isOurJob, jobState, readDaemonFile } from '../launchd.ts';
import { PATHS } from '../paths.ts';
import { readPlist } from '../plist.ts';
import { at, readTool, runTool, type MacSystem } from '../system.ts';
import { interfaceOf, profileNames, readProfile } from './profile.ts';
import { appProfileIdentifier, tunnelInIdentifier } from './render-app-profile.ts';

const APP = '/Applications/WireGuard.app';
/** Offers are below a folder that everybody can enter: System Settings opens them as the person. */
const OFFERS = `${PATHS.program}/run`;

/** `profiles show`: profiles of the Mac and of each user, by whom they were installed for. */
const installed = z.record(z.string(), z.array(z.object({ ProfileIdentifier: z.string().max(1000) })).max(1000));

export const offerFile = (tunnel: string): string => `${OFFERS}/${tunnel}/${tunnel}.mobileconfig`;

/** When the profile was offered, milliseconds since 1970; undefined where it is not. Half an offer, which a killed run left, counts too. */
export async function offeredAt(system: MacSystem, tunnel: string): Promise<number | undefined> {
  return (await stat(path.dirname(at(system, offerFile(tunnel)))).catch(ignoreMissing))?.mtimeMs;
}

/** Removes the file and its folder, also what a killed offer left there. */
export async function withdrawOffer(system: MacSystem, tunnel: string): Promise<void> {
  await rm(path.dirname(at(system, offerFile(tunnel))), { recursive: true, force: true });
}

export async function isAppThere(system: MacSystem): Promise<boolean> {
  return (await stat(at(system, APP)).catch(ignoreMissing)) !== undefined;
}

/**
 * Tunnels whose profile macOS has. Only root is told of all.
 * @throws KiwiError `tunnel-tools-failed` where macOS does not tell although the app is there: a profile must not be taken for none, because
 * our daemon would begin beside the app
 */
export async function approvedTunnels(system: MacSystem): Promise<string[]> {
  const args = ['show', '-all', '-type', 'configuration', '-output', 'stdout-xml'];
  const said = await readTool(system, { name: 'profiles', args });
  const found = said === undefined ? undefined : identifiersIn(said);
  if (found !== undefined) return [...new Set(found.flatMap((identifier) => tunnelInIdentifier(identifier) ?? []))];
  if (!(await isAppThere(system))) return [];
  throw new KiwiError('tunnel-tools-failed', { detail: 'profiles(1) does not tell which there are' });
}

/** Removes the offer, and the profile from macOS, and with it the app's tunnel. Safe to repeat. @throws KiwiError `tunnel-app-stays` */
export async function removeAppProfile(system: MacSystem, tunnel: string): Promise<void> {
  await withdrawOffer(system, tunnel);
  if (!(await approvedTunnels(system)).includes(tunnel)) return;
  const identifier = appProfileIdentifier(tunnel);
  await runTool(system, { name: 'profiles', args: ['remove', '-identifier', identifier], timeoutMs: 60_000 });
  if (!(await approvedTunnels(system)).includes(tunnel)) return;
  throw new KiwiError('tunnel-app-stays', { detail: `the profile ${identifier}` });
}

/** What is there of it: offers, and profiles that macOS tells of. */
export async function appTraces(system: MacSystem): Promise<{ readonly name: string; readonly file: string }[]> {
  const folders = ((await readdir(at(system, OFFERS)).catch(ignoreMissing)) ?? []).toSorted();
  const offers = folders.filter((name) => /^kiwi-[a-z0-9-]{1,10}$/u.test(name));
  const approved = await approvedTunnels(system).catch((): string[] => []);
  return [
    ...offers.map((name) => ({ name, file: `${OFFERS}/${name}` })),
    ...approved.map((name) => ({ name, file: `the profile ${appProfileIdentifier(name)}` })),
  ];
}

/** Whether our daemon is set up to keep the tunnel: it runs wireguard-go, and another configures it. */
export async function daemonOf(system: MacSystem, tunnel: string): Promise<TunnelKeepers['daemon']> {
  const there = await Promise.all(
    Object.values(tunnelLabels(tunnel)).map(async (label) => {
      const text = await readDaemonFile(system, label);
      return text === undefined ? undefined : isOurJob(text);
    }),
  );
  if (there.every((ours) => ours === true)) return 'whole';
  if (there.includes(true)) return 'half';
  // Without its file, which a killed run has removed, it may run still.
  const known = there.includes(false) ? false : (await jobState(system, tunnelLabels(tunnel).device)).known;
  return known ? 'half' : 'none';
}

/** True when the app keeps the tunnel, and our daemon does not. @throws KiwiError `tunnel-tools-failed` where macOS does not tell */
export async function isKeptByApp(system: MacSystem, tunnel: string): Promise<boolean> {
  return (await daemonOf(system, tunnel)) === 'none' && (await approvedTunnels(system)).includes(tunnel);
}

/** The same for who only looks, who need not be root and is then not told. */
export async function seemsKeptByApp(system: MacSystem, tunnel: string): Promise<boolean> {
  return isKeptByApp(system, tunnel).catch(() => false);
}

/** The interface of the tunnel, whoever has made it. That of the app has no socket, but the tunnel's address. */
export async function currentInterface(system: MacSystem, tunnel: string): Promise<string | undefined> {
  const own = await interfaceOf(system, tunnel);
  if (own !== undefined || !(await seemsKeptByApp(system, tunnel))) return own;
  const address = /^Address = (.*)\/32$/mu.exec((await readProfile(system, tunnel)) ?? '')?.[1];
  if (address === undefined) return undefined;
  const said = (await readTool(system, { name: 'ifconfig', args: ['-a', 'inet'] })) ?? '';
  // Blocks begin at the margin: `utun5: flags=…`, and their lines do not.
  const block = said.split(/^(?=\S)/mu).find((one) => one.includes(`\tinet ${addressValue(address)} `));
  return /^(utun\d{1,5}):/u.exec(block ?? '')?.[1];
}

/** Tunnels of ours that run, whoever keeps them, by the names of their interfaces. */
export async function currentTunnels(system: MacSystem): Promise<ReadonlyMap<string, string>> {
  const names = new Set((await profileNames(system)).map(({ name }) => name));
  const found = await Promise.all(
    [...names].map(async (name) => [await currentInterface(system, name), name] as const),
  );
  return new Map(found.flatMap(([real, name]) => (real === undefined ? [] : [[real, name] as const])));
}

/** Undefined for what cannot be read. Whatever macOS says where there are none, an identifier of ours is not in it. */
function identifiersIn(said: string): string[] | undefined {
  if (!said.includes(appProfileIdentifier(''))) return [];
  try {
    const result = installed.safeParse(readPlist(said));
    if (!result.success) return undefined;
    return Object.values(result.data).flatMap((list) => list.map((one) => one.ProfileIdentifier));
  } catch {
    return undefined;
  }
}
