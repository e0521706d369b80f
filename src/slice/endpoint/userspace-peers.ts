import { existsSync } from 'node:fs';
import { connect } from 'node:net';

import { KiwiError } from '../../core/errors.ts';
import type { PeerChange } from './peer-changes.ts';

/** Where wireguard-go listens for its configuration (wireguard.com/xplatform). The kernel's WireGuard has no such socket. */
export function userspaceSocket(interfaceName: string): string | undefined {
  const socket = `/var/run/wireguard/${interfaceName}.sock`;
  return existsSync(socket) ? socket : undefined;
}

/** The `set` operation of that protocol: keys in hex, one setting per line, an empty line at the end. */
export function renderUserspacePeers(changes: readonly PeerChange[]): string {
  const hex = (base64: string): string => Buffer.from(base64, 'base64').toString('hex');
  const lines = changes.flatMap(({ publicKey, peer }) =>
    peer === undefined
      ? [`public_key=${hex(publicKey)}`, 'remove=true']
      : [
          `public_key=${hex(publicKey)}`,
          `preshared_key=${hex(peer.presharedKey)}`,
          'replace_allowed_ips=true',
          `allowed_ip=${peer.address}/32`,
        ],
  );
  return ['set=1', ...lines, '', ''].join('\n');
}

/**
 * Applies changes to wireguard-go without starting a program for each batch, and without the file that `wg` would need.
 * @throws KiwiError `endpoint-unavailable`
 */
export async function applyUserspacePeers(
  socketFile: string,
  changes: readonly PeerChange[],
  timeoutMs = 10_000,
): Promise<void> {
  const answer = await new Promise<string>((resolve, reject) => {
    const socket = connect(socketFile);
    let received = '';
    const fail = (why: string): void => {
      socket.destroy();
      reject(new KiwiError('endpoint-unavailable', { detail: `wireguard: ${why}` }));
    };
    socket.setTimeout(timeoutMs, () => fail('no answer'));
    socket.once('error', (error) => fail(error.message));
    socket.once('close', () => fail('closed without an answer'));
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString('latin1');
      if (!received.endsWith('\n\n')) return;
      resolve(received);
      socket.destroy();
    });
    socket.write(renderUserspacePeers(changes));
  });
  if (answer !== 'errno=0\n\n') {
    throw new KiwiError('endpoint-unavailable', { detail: `wireguard: ${answer.trim().slice(0, 100)}` });
  }
}
