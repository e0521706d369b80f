import { toKiwiError } from '../../core/errors.ts';
import type { AuditEntry, Device, LossPart } from '../registry/registry.ts';
import type { SliceContext } from '../slice-context.ts';
import { removePeer } from './settle-ended.ts';
import { sliceAudit } from './slice-audit.ts';

/** So long nothing is repeated that has failed. */
const REST_MS = 4_000;
/** An operator is told about a lock or wipe that Fleet has not accepted for this long. */
const ALARM_MS = 3_600_000;
const AT_ONCE = 200;
const DAY_MS = 86_400_000;

/**
 * Does what is left to do about lost laptops: has Fleet lock or wipe them and waits until it has, replaces the enroll secret, disables
 * their entries in the directory. What cannot be done now is tried again; one laptop does not keep it from the others.
 */
export async function settleLosses(slice: SliceContext): Promise<void> {
  const { registry, clock } = slice;
  const now = clock.now();
  const due = (await registry.openLossParts(AT_ONCE)).filter(
    ({ triedAt }) => triedAt === null || Math.abs(now - triedAt) >= REST_MS,
  );
  for (const part of due) {
    const device = await registry.findDevice(part.deviceId);
    if (device === undefined) continue;
    try {
      await settle(slice, part, device);
    } catch (error) {
      const { code, detail } = toKiwiError(error);
      await registry.noteLossTrouble(part.deviceId, part.part, detail ?? code, clock.now());
      slice.log.warn({ deviceId: part.deviceId, part: part.part, code, detail }, 'not done yet for a lost laptop');
    }
  }
}

async function settle(slice: SliceContext, part: LossPart, device: Device): Promise<void> {
  switch (part.part) {
    case 'lock':
    case 'wipe':
      return haveFleetAct(slice, { ...part, part: part.part }, device);
    case 'enroll-secret':
      await slice.fleet?.rotateSecret();
      return finish(slice, part, device, 'Fleet has a new enroll secret');
    case 'directory':
    case 'directory-return':
      return setDirectory(slice, { ...part, part: part.part }, device);
    case 'tunnel':
    case 'recovery-key':
      return undefined;
  }
}

async function setDirectory(
  slice: SliceContext,
  part: LossPart & { readonly part: 'directory' | 'directory-return' },
  device: Device,
): Promise<void> {
  const { registry, directory, clock } = slice;
  if (directory === undefined) return;
  const { hostName } = device;
  // Its name is free: an entry of that name may be another laptop's by now, or the found one's.
  const live = (await registry.listDevices()).find((other) => other.hostName === hostName && other.endedAt === null);
  if (part.part === 'directory' && live !== undefined) {
    const detail = `the name ${hostName} is another device's now (${live.id})`;
    return registry.moveLossPart(device.id, part.part, 'impossible', clock.now(), { detail });
  }
  const dn = await directory.setDisabled(hostName, part.part === 'directory');
  if (dn === undefined) {
    const detail = `the directory has no entry for ${hostName}`;
    return registry.moveLossPart(device.id, part.part, 'impossible', clock.now(), { detail });
  }
  return finish(slice, part, device, `${part.part === 'directory' ? 'disabled' : 'enabled'} ${dn}`);
}

async function haveFleetAct(
  slice: SliceContext,
  part: LossPart & { readonly part: 'lock' | 'wipe' },
  device: Device,
): Promise<void> {
  const { registry, fleet, clock } = slice;
  if (fleet === undefined) return;
  const { part: action, state } = part;
  const { wipeDays } = slice.config.windows;
  if (clock.now() - (device.endedAt ?? part.at) > wipeDays * DAY_MS) {
    return giveUp(slice, part, device, `the laptop has not answered Fleet for ${wipeDays} days`);
  }
  const question = {
    uuid: device.host.uuid,
    serial: device.host.serial,
    since: device.grantedAt ?? device.createdAt,
    until: device.endedAt ?? clock.now(),
  };
  const answer =
    state === 'wanted' ? await fleet.client.command(question, action) : await fleet.client.standing(question, action);
  switch (answer.state) {
    case 'asked':
      if (state === 'asked') return;
      await registry.moveLossPart(device.id, action, 'asked', clock.now(), {
        audit: lossAudit(`device.${action}`, device, 'Fleet has accepted it'),
      });
      return;
    case 'done':
      await finish(slice, part, device, `Fleet says that it is done: ${action}`);
      // What is confirmed must take effect at once, not in the next round.
      await removePeer(slice, device);
      return;
    case 'not-asked':
      // Fleet has forgotten it: the script failed, or the laptop enrolled there again.
      await registry.moveLossPart(device.id, action, 'wanted', clock.now(), { detail: 'Fleet did not carry it out' });
      await trouble(slice, part, device, 'Fleet did not carry it out');
      return;
    case 'unknown':
      await trouble(slice, part, device, 'Fleet has no host that is this laptop');
      return;
    case 'refused':
      if (answer.final) await giveUp(slice, part, device, answer.why);
      else await trouble(slice, part, device, answer.why);
  }
}

async function finish({ registry, clock }: SliceContext, part: LossPart, device: Device, why: string): Promise<void> {
  const audit = lossAudit(`device.${part.part}`, device, why);
  await registry.moveLossPart(device.id, part.part, 'done', clock.now(), { audit });
}

async function giveUp(slice: SliceContext, part: LossPart, device: Device, why: string): Promise<void> {
  await slice.registry.moveLossPart(device.id, part.part, 'impossible', slice.clock.now(), { detail: why });
  await alarm(slice, part, device, why);
  await removePeer(slice, device);
}

/** It is tried again, and after an hour an operator has to know. */
async function trouble(slice: SliceContext, part: LossPart, device: Device, why: string): Promise<void> {
  const { registry, clock } = slice;
  await registry.noteLossTrouble(device.id, part.part, why, clock.now());
  if (clock.now() - part.at >= ALARM_MS) await alarm(slice, part, device, why);
}

async function alarm(
  { registry, clock, log }: SliceContext,
  part: LossPart,
  device: Device,
  why: string,
): Promise<void> {
  const action = `device.${part.part}`;
  if (await registry.findAlarm(device.id, action)) return;
  const text = `${device.hostName} (${device.id}) is lost and gets no ${part.part}: ${why}`;
  await registry.raiseAlarm(
    { ...lossAudit(action, device, text), decision: 'alarm', code: 'fleet-refused', deviceId: device.id },
    clock.now(),
  );
  log.error({ deviceId: device.id, why: text }, 'fleet alarm');
}

function lossAudit(action: string, { id, hostName }: Pick<Device, 'id' | 'hostName'>, why: string): AuditEntry {
  return sliceAudit(action, id, `${hostName}: ${why}`.slice(0, 500));
}
