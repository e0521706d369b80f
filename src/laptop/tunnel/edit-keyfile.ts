/**
 * Changes to a file that `render-keyfile.ts` made, for a tunnel that stays as it was granted. NetworkManager may have rewritten it
 * since: in another order, without comments and without what is its default. The text holds secrets.
 */

/** With another peer's address: a literal one and a port. */
export function keyfileWithEndpoint(text: string, endpoint: string): string {
  return text.replace(/^endpoint=.*$/mu, `endpoint=${endpoint}`);
}

export function keyfileWithMtu(text: string, mtu: number): string {
  const without = text.replace(/^mtu=\d+\n/mu, '');
  return without.replace(/^\[wireguard\]\n/mu, `[wireguard]\nmtu=${mtu}\n`);
}

/** The public key of its peer, which is the slice. */
export function peerInKeyfile(text: string): string | undefined {
  return /^\[wireguard-peer\.(\S+)\]$/mu.exec(text)?.[1];
}

export function mtuInKeyfile(text: string): number | undefined {
  const found = /^mtu=(\d+)$/mu.exec(text)?.[1];
  return found === undefined ? undefined : Number(found);
}
