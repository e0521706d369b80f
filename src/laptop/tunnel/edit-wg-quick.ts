/**
 * Changes to a file that `render-wg-quick.ts` made, for a tunnel that stays as it was granted: the grant and its secrets are not at
 * hand any more. The text holds secrets.
 */

/** With another peer's address: a literal one and a port. */
export function withEndpoint(text: string, endpoint: string): string {
  return text.replace(/^Endpoint = .*$/mu, `Endpoint = ${endpoint}`);
}

export function withMtu(text: string, mtu: number): string {
  return text.replace(/^MTU = \d+$/mu, `MTU = ${mtu}`);
}

/** The public key of its peer, which is the slice. */
export function peerIn(text: string): string | undefined {
  return /^PublicKey = (\S+)$/mu.exec(text)?.[1];
}

export function mtuIn(text: string): number | undefined {
  const found = /^MTU = (\d+)$/mu.exec(text)?.[1];
  return found === undefined ? undefined : Number(found);
}
