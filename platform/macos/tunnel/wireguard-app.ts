import { chmod, chown, mkdir } from 'node:fs/promises';
import path from 'node:path';

import { writeDurableFile } from '../../../src/core/durable-file.ts';
import { KiwiError } from '../../../src/core/errors.ts';
import type { ProfileSigner, TunnelApp, TunnelKeepers } from '../../../src/laptop/system/tunnel-app.ts';
import { withEndpoint } from '../../../src/laptop/tunnel/edit-wg-quick.ts';
import { endpointCandidates, isLiteral, type ResolveHost } from '../../../src/laptop/tunnel/endpoint-candidates.ts';
import { tunnelInterfaceName } from '../../../src/laptop/tunnel/interface-name.ts';
import { resolveHost } from '../../unix/resolve-host.ts';
import { userAtScreen } from '../desktop.ts';
import { withFile } from '../keychain.ts';
import { at, readTool, runToolChecked, type MacSystem } from '../system.ts';
import {
  approvedTunnels,
  daemonOf,
  isAppThere,
  offeredAt,
  offerFile,
  removeAppProfile,
  withdrawOffer,
} from './app-profile.ts';
import { stopTunnel } from './keep-tunnel.ts';
import { readProfile } from './profile.ts';
import { renderAppProfile } from './render-app-profile.ts';

/** The group of macOS's administrators, who approve profiles, and who could read every file of this Mac with sudo. */
const ADMINISTRATORS = 80;

/**
 * The tunnel by WireGuard.app, for a person who wants its symbol and its switch. There is no silent way: since macOS 11 a person approves a
 * profile in System Settings, unless it comes from device management. Until then it is a file that they, and nobody else, can read.
 */
export class WireguardApp implements TunnelApp {
  readonly #system: MacSystem;
  readonly #resolve: ResolveHost;

  constructor(system: MacSystem, resolve: ResolveHost = resolveHost) {
    this.#system = system;
    this.#resolve = resolve;
  }

  async look(slug: string): Promise<TunnelKeepers> {
    const tunnel = tunnelInterfaceName(slug);
    const [daemon, approved, appThere, offered] = await Promise.all([
      daemonOf(this.#system, tunnel),
      approvedTunnels(this.#system),
      isAppThere(this.#system),
      offeredAt(this.#system, tunnel),
    ]);
    return { daemon, app: approved.includes(tunnel), appThere, offeredAt: offered };
  }

  /** System Settings then says to the person what to do. The names of the customer stay where our daemon has put them. */
  async offer(slug: string, endpoints: readonly string[], signer: ProfileSigner, signal?: AbortSignal): Promise<void> {
    const system = this.#system;
    const tunnel = tunnelInterfaceName(slug);
    if (!(await isAppThere(system))) throw new KiwiError('tool-missing', { detail: 'WireGuard (App Store)' });
    const configuration = await readProfile(system, tunnel);
    if (configuration === undefined) {
      throw new KiwiError('tunnel-tools-failed', { detail: `${tunnel} has no profile of ours` });
    }
    const uid = await this.#approver();
    const profile = renderAppProfile(tunnel, slug, await this.#named(configuration, endpoints));
    const signed = await this.#sign(profile, signer, signal);
    const file = at(system, offerFile(tunnel));
    const folder = path.dirname(file);
    // Made anew, so that nothing in it is anybody's who was at the screen before.
    await withdrawOffer(system, tunnel);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await writeDurableFile(file, signed, 0o600);
    signed.fill(0);
    await chown(file, uid, -1);
    // Root keeps the folder; others may only pass through it, and the file is the person's.
    await chmod(folder, 0o711);
    const asUser = ['asuser', String(uid), '/usr/bin/sudo', '-n', '-u', `#${uid}`, '--', '/usr/bin/open', file];
    await runToolChecked(system, { name: 'launchctl', args: asUser, signal }, 'tunnel-tools-failed');
  }

  withdraw(slug: string): Promise<void> {
    return withdrawOffer(this.#system, tunnelInterfaceName(slug));
  }

  remove(slug: string): Promise<void> {
    return removeAppProfile(this.#system, tunnelInterfaceName(slug));
  }

  stopDaemon(slug: string): Promise<void> {
    return stopTunnel(this.#system, tunnelInterfaceName(slug));
  }

  /** @throws KiwiError `not-authorised`: who is no administrator cannot approve it, and must not get the key of the tunnel */
  async #approver(): Promise<number> {
    const uid = await userAtScreen(this.#system);
    if (uid === undefined) throw new KiwiError('not-authorised', { detail: 'nobody is at the screen to approve it' });
    const groups = (await readTool(this.#system, { name: 'id', args: ['-G', String(uid)] })) ?? '';
    if (groups.trim().split(/\s+/u).includes(String(ADMINISTRATORS))) return uid;
    throw new KiwiError('not-authorised', {
      detail: 'whoever is at the screen is no administrator, who has to approve it',
    });
  }

  /**
   * With the name that leads to the address in use: the app looks it up again whenever the network changes, and so follows a slice that
   * moves. Nobody else could have it follow.
   */
  async #named(configuration: string, endpoints: readonly string[]): Promise<string> {
    const inUse = /^Endpoint = (.*)$/mu.exec(configuration)?.[1] ?? '';
    for (const endpoint of endpoints.filter((one) => !isLiteral(one))) {
      if ((await endpointCandidates([endpoint], this.#resolve)).includes(inUse))
        return withEndpoint(configuration, endpoint);
    }
    return configuration;
  }

  /** CMS (RFC 5652), with the text in it and the chain, so that System Settings says whose it is. */
  async #sign(profile: string, signer: ProfileSigner, signal?: AbortSignal): Promise<Buffer> {
    const { certificate, key, intermediate } = signer;
    const options = ['-nodetach', '-binary', '-outform', 'DER', '-md', 'sha256'];
    const device = ['-signer', at(this.#system, certificate), '-inkey', at(this.#system, key)];
    const input = Buffer.from(profile);
    try {
      // The file of the certificate has the intermediate too, but OpenSSL refuses to add the leaf twice.
      return await withFile(this.#system, intermediate.pem, async (file) => {
        const args = ['cms', '-sign', ...options, ...device, '-certfile', file];
        const command = { name: 'openssl', args, input, signal };
        return (await runToolChecked(this.#system, command, 'tunnel-tools-failed')).stdout;
      });
    } finally {
      input.fill(0);
    }
  }
}
