import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pipeline } from 'node:stream';

import { FaultScript } from '../virtual-yubikey/reader/faults.ts';
import { insertKey, type InsertedKey } from '../virtual-yubikey/reader/inserted-key.ts';
import { slotState, untilSlotChanged } from '../virtual-yubikey/reader/pcscd-state.ts';
import { PCSCD_SOCKET, VPCD_PORTS } from '../virtual-yubikey/reader/pcscd.ts';
import { TouchSensor, type TouchMode } from '../virtual-yubikey/reader/touch-sensor.ts';
import type { Machine } from './machine.ts';

/** A virtual YubiKey that is plugged into a machine. */
export interface PluggedYubiKey {
  readonly touch: TouchSensor;
  readonly faults: FaultScript;
  readonly key: InsertedKey;
  /** Resolves when the machine's pcscd has noticed the removal; at once if the machine is off. */
  pull(): Promise<void>;
}

/**
 * Plugs the key of a state file into a machine, and resolves when its pcscd has detected it. The card program runs on
 * the host; it reaches vpcd in the machine through the agent, not through the machine's network. It is disconnected
 * when the power goes: plug it in again after a boot.
 */
export async function plugInYubiKey(
  machine: Machine,
  stateFile: string,
  touch: { readonly mode?: TouchMode; readonly delayMs?: number } = {},
): Promise<PluggedYubiKey> {
  const sockets = mkdtempSync(path.join(tmpdir(), 'kiwistack-pcscd-'));
  const pcscd = path.join(sockets, 'pcscd');
  const servers = await Promise.all([relay(machine, VPCD_PORTS[0], 0), relay(machine, PCSCD_SOCKET, pcscd)]);
  const sensor = new TouchSensor({ mode: touch.mode ?? 'auto', delayMs: touch.delayMs ?? 0, timeoutMs: 15_000 });
  const faults = new FaultScript();
  const close = async (): Promise<void> => {
    for (const server of servers) server.close();
    await rm(sockets, { recursive: true, force: true });
  };
  try {
    const before = await slotState(pcscd, 0);
    const { port } = servers[0].address() as AddressInfo;
    let pulling = false;
    // It is also disconnected when the machine's power goes.
    const pulled = (): void => void (pulling ? undefined : close());
    const key = await insertKey(port, stateFile, { touch: sensor, faults, pulled });
    const { events } = await untilSlotChanged(pcscd, 0, before.events, true);
    return {
      touch: sensor,
      faults,
      key,
      pull: async () => {
        pulling = true;
        await key.pull();
        if (machine.on) await untilSlotChanged(pcscd, 0, events, false);
        await close();
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Listens on the host and relays connections to the machine. */
async function relay(machine: Machine, inside: number | string, here: number | string): Promise<Server> {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    // The client's first bytes wait in the socket until there is a connection to pass them to.
    machine.connect(inside).then(
      (guest) => {
        const ignore = (): void => undefined;
        pipeline(socket, guest, ignore);
        pipeline(guest, socket, ignore);
      },
      () => socket.destroy(),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    if (typeof here === 'string') server.listen(here, resolve);
    else server.listen(here, '127.0.0.1', resolve);
  });
  return server;
}
