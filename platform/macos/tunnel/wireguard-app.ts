import { chmod, chown, mkdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';

import { z } from 'zod';

import { writeDurableFile } from '../../../src/core/durable-file.ts';
import { KiwiError } from '../../../src/core/errors.ts';
import type { TunnelConfig } from '../../../src/laptop/system/tunnel.ts';
import { tunnelInterfaceName } from '../../../src/laptop/tunnel/interface-name.ts';
import { userAtScreen } from '../desktop.ts';
import { withFile } from '../keychain.ts';
import { PATHS } from '../paths.ts';
import { readPlistTool } from '../read-plist-tool.ts';
import { at, runTool, runToolChecked, type MacSystem } from '../system.ts';
import { appProfileIdentifier, renderAppProfile } from './render-app-profile.ts';
import { removeResolverFiles, setResolverFiles } from './resolver-files.ts';

const APP = '/Applications/WireGuard.app';

/** `profiles show`: profiles of the Mac and of each user, by whom they were installed for. */
const installed = z.record(z.string(), z.array(z.object({ ProfileIdentifier: z.string().max(1000) })).max(1000));

/** The device: files of its certificate and its key, as the store names them, and its customer's intermediate. */
export interface ProfileSigner {
  readonly certificate: string;
  readonly key: string;
  readonly intermediate: { readonly pem: string };
}

/**
 * `no app`: the person has to install it first. `waiting`: the profile was offered, and the person has not approved it yet. `approved`: macOS has
 * it, and keeps the tunnel up.
 */
export type AppProfileState = 'no app' | 'not offered' | 'waiting' | 'approved';

/**
 * The tunnel by WireGuard.app, for an organisation that wants its own symbol and switch for it. There is no silent way: since macOS 11 a person
 * approves a profile in System Settings, unless it comes from device management. Until then it is a file that they, and nobody else, can
 * read; `state` tells when it may go.
 */
export class WireguardApp {
  readonly #system: MacSystem;

  constructor(system: MacSystem) {
    this.#system = system;
  }

  async state(slug: string): Promise<AppProfileState> {
    const tunnel = tunnelInterfaceName(slug);
    const shown = await readPlistTool(this.#system, installed, {
      ...{ name: 'profiles', args: ['show', '-all', '-type', 'configuration', '-output', 'stdout-xml'] },
    });
    const identifiers = Object.values(shown ?? {}).flatMap((list) => list.map((one) => one.ProfileIdentifier));
    if (identifiers.includes(appProfileIdentifier(tunnel))) return 'approved';
    if (await isThere(this.#file(tunnel))) return 'waiting';
    return (await isThere(at(this.#system, APP))) ? 'not offered' : 'no app';
  }

  /**
   * Signs the profile and shows it to the person at the screen, to whom System Settings then says what to do.
   * @param endpoint a literal one
   * @throws KiwiError `tool-missing` without the app, `tunnel-tools-failed` without anybody at the screen
   */
  async offer(config: TunnelConfig, endpoint: string, signer: ProfileSigner, signal?: AbortSignal): Promise<void> {
    const tunnel = tunnelInterfaceName(config.slug);
    if (!(await isThere(at(this.#system, APP))))
      throw new KiwiError('tool-missing', { detail: 'WireGuard (App Store)' });
    const uid = await userAtScreen(this.#system);
    if (uid === undefined)
      throw new KiwiError('tunnel-tools-failed', { detail: 'nobody is at the screen to approve it' });
    const signed = await this.#sign(renderAppProfile(tunnel, config, endpoint), signer, signal);
    const file = this.#file(tunnel);
    const folder = path.dirname(file);
    // Made anew, so that nothing in it is anybody's who was at the screen before.
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await writeDurableFile(file, signed, 0o600);
    signed.fill(0);
    await chown(file, uid, -1);
    // Root keeps the folder; others may only pass through it, and the file is the person's.
    await chmod(folder, 0o711);
    await setResolverFiles(this.#system, tunnel, config.dns);
    const asUser = ['asuser', String(uid), '/usr/bin/sudo', '-n', '-u', `#${uid}`, '--', '/usr/bin/open', file];
    await runToolChecked(this.#system, { name: 'launchctl', args: asUser, signal }, 'tunnel-tools-failed');
  }

  /** Removes the file once it has been approved, or is not wanted any more. What macOS has stays. */
  async withdraw(slug: string): Promise<void> {
    await rm(path.dirname(this.#file(tunnelInterfaceName(slug))), { recursive: true, force: true });
  }

  /** Removes the profile from macOS too, and with it the tunnel. Safe to repeat. @throws KiwiError `tunnel-tools-failed` */
  async remove(slug: string): Promise<void> {
    const tunnel = tunnelInterfaceName(slug);
    await removeResolverFiles(this.#system, tunnel);
    await this.withdraw(slug);
    if ((await this.state(slug)) !== 'approved') return;
    const identifier = appProfileIdentifier(tunnel);
    await runTool(this.#system, { name: 'profiles', args: ['remove', '-identifier', identifier], timeoutMs: 60_000 });
    if ((await this.state(slug)) !== 'approved') return;
    throw new KiwiError('tunnel-tools-failed', {
      detail: `the profile ${identifier} is still installed`,
      hint: 'Remove it in System Settings, under General, Device Management.',
    });
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

  /** Below a folder that everybody can enter: System Settings opens it as the person. */
  #file(tunnel: string): string {
    return at(this.#system, `${PATHS.program}/run/${tunnel}/${tunnel}.mobileconfig`);
  }
}

async function isThere(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}
