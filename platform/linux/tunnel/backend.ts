import type { TunnelConfig } from '../../../src/laptop/system/tunnel.ts';

/**
 * A program of the system that keeps a tunnel: it brings it up at boot from a profile, which is a file of ours. What happens to the
 * running interface (`wg.ts`) is the same with each of them.
 *
 * Obligations: a profile is written for root alone, and nothing in it is ever an argument of a program; a profile that is not ours is
 * neither read, changed nor removed.
 */
export interface Backend {
  /** As people know it. */
  readonly title: string;
  /** The profile of an interface. */
  file(name: string): string;
  /** Commands for a person. */
  commands(name: string): { readonly start: string; readonly enable: string };
  /** The unit after which the tunnel is up, or comes up. */
  unit(name: string): string;
  /** Looks at the system once, so that the same profile can be made for several endpoints. */
  renderer(): Promise<RenderProfile>;
  /** The text of a profile of ours, with its secrets. */
  read(name: string): Promise<string | undefined>;
  /** Does nothing when the profile is the same already. What runs goes on as it is. */
  write(name: string, text: string): Promise<void>;
  /** With another endpoint, a literal one. */
  withEndpoint(text: string, endpoint: string): string;
  withMtu(text: string, mtu: number): string;
  mtuIn(text: string): number | undefined;
  /** The public key of the slice. */
  peerIn(text: string): string | undefined;
  /** True when names of the customer's domains go through the tunnel, and no others. */
  splitsDns(text: string): boolean;
  enable(name: string, signal?: AbortSignal): Promise<void>;
  startsAtBoot(name: string): Promise<boolean>;
  /** Brings the interface up from the profile, also when it is up. @throws KiwiError `tunnel-tools-failed` with what was said */
  start(name: string, signal?: AbortSignal): Promise<void>;
  /** Whatever state it is in. The caller removes an interface that is still there. */
  stop(name: string): Promise<void>;
  /** Removes all of ours that belongs to this interface, also when only a part is there; called after `stop`. */
  remove(name: string): Promise<void>;
}

export type RenderProfile = (
  config: TunnelConfig,
  options: { readonly endpoint: string; readonly mtu?: number | undefined },
) => string;
