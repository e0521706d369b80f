import { createInterface } from 'node:readline';

import { KiwiError } from '../../../src/core/errors.ts';
import type { Endpoint, Peer } from '../../../src/slice/endpoint/endpoint.ts';
import {
  removeLeftover,
  startWireguard,
  type WireguardOptions,
} from '../../../src/slice/endpoint/wireguard-endpoint.ts';

// Runs an endpoint in a room: one JSON command a line, one JSON answer a line.

type Command =
  | { do: 'peer'; peer: Peer }
  | { do: 'remove'; publicKey: string }
  | { do: 'reconcile'; peers: Peer[] }
  | { do: 'start'; options: WireguardOptions }
  | { do: 'stop' }
  | { do: 'clean'; options: WireguardOptions };

let endpoint: Endpoint | undefined;
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line) as Command;
  try {
    if (command.do === 'start') endpoint = await startWireguard(command.options);
    else if (command.do === 'clean') await removeLeftover(command.options);
    else if (command.do === 'peer') await endpoint?.setPeer(command.peer);
    else if (command.do === 'remove') await endpoint?.removePeer(command.publicKey);
    else if (command.do === 'reconcile') await endpoint?.reconcile(command.peers);
    else await endpoint?.stop();
    console.log(JSON.stringify({ ok: true }));
  } catch (error) {
    console.log(JSON.stringify({ ok: false, detail: error instanceof KiwiError ? error.detail : String(error) }));
  }
}
