import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';

import { z } from 'zod';

import { ignoreMissing, removeDurableFile, writeDurableFile } from '../../src/core/durable-file.ts';
import { KiwiError } from '../../src/core/errors.ts';
import { readCappedFile } from '../../src/core/read-capped-file.ts';
import { readKeptSettings, renderKeptSettings, type KeptSettings } from '../../src/laptop/fleet-agent/kept-settings.ts';
import { DUMMY_SECRET, renderAgentCertificate } from '../../src/laptop/fleet-agent/render-agent-settings.ts';
import type { AgentSettings, AgentStatus, FleetAgent } from '../../src/laptop/system/fleet-agent.ts';
import type { Found } from '../../src/laptop/system/found.ts';
import { renderAgentCommand } from './fleet-settings.ts';
import { makeFolders } from './folders.ts';
import { readHelper } from './helper.ts';
import { PATHS, SERVICES, UPGRADE_CODES } from './paths.ts';
import { readRecentLines } from '../../src/laptop/fleet-agent/recent-lines.ts';
import { isRunning, serviceOf, setRecovery, startService, stopService } from './services.ts';
import { at, runTool, runToolChecked, type WindowsSystem } from './system.ts';

const INSTALL_MS = 600_000;
/** Another installation may hold Windows Installer for minutes; we wait that long. */
const LOCK_WAIT_MS = 120_000;
const LOCK_POLL_MS = 2_000;
/** Results of Windows Installer: another installation runs; done, and a restart would complete it; unknown product. */
const MSI = { busy: 1618, restart: 3010, restartBegun: 1641, unknown: 1605 } as const;
const MAX_LOG = 512 * 1024;
const MAX_SETTINGS = 64 * 1024;

const product = z.strictObject({ code: z.string().regex(/^\{[0-9A-Fa-f-]{36}\}$/u), version: z.string().max(64) });
export type Product = z.infer<typeof product>;

/** Installed packages with this upgrade code. */
export async function installedProducts(system: WindowsSystem, upgradeCode: string): Promise<Product[]> {
  return readHelper(system, z.array(product).max(16), ['products', upgradeCode]);
}

/**
 * fleetd's package for Windows. It takes the secret as a property of the installation, which gets into its command line and its log: so it is
 * installed with a dummy, and the service is then given the names of our files.
 */
export class WindowsFleetAgent implements FleetAgent {
  readonly #system: WindowsSystem;

  constructor(system: WindowsSystem) {
    this.#system = system;
  }

  async status(): Promise<AgentStatus> {
    const [[installed], settings, service, orbitEnrolled] = await Promise.all([
      installedProducts(this.#system, UPGRADE_CODES.fleetd),
      this.#settings(),
      serviceOf(this.#system, SERVICES.fleet),
      this.orbitEnrolled(),
    ]);
    const configuredByUs = settings !== undefined;
    return { version: installed?.version, configuredByUs, running: isRunning(service), orbitEnrolled };
  }

  async orbitEnrolled(): Promise<boolean> {
    const key = path.join(at(this.#system, PATHS.orbit), 'secret-orbit-node-key.txt');
    const bytes = await readCappedFile(key, { maxBytes: 4096 }).catch(ignoreMissing);
    const enrolled = (bytes?.toString().trim() ?? '') !== '';
    bytes?.fill(0);
    return enrolled;
  }

  async configure(settings: AgentSettings): Promise<void> {
    await makeFolders(this.#system);
    const files = this.#files();
    await writeDurableFile(files.secret, settings.enrollSecret, 0o600);
    await writeDurableFile(files.certificate, renderAgentCertificate(settings), 0o600);
    // Last: by these the agent is ours.
    await writeDurableFile(files.settings, renderKeptSettings(settings), 0o600);
    await this.#apply();
  }

  async install(packageFile: string, signal?: AbortSignal, waiting?: (what: string) => void): Promise<void> {
    const settings = await this.#settings();
    if (settings === undefined) throw new TypeError('configure comes first');
    const properties = [`FLEET_URL=${settings.url}`, 'FLEET_SECRET=dummy'];
    await this.#msiexec(['/i', packageFile, '/qn', '/norestart', ...properties], waiting, signal);
    await this.#apply();
  }

  async forgetSecret(): Promise<void> {
    if ((await this.#settings()) !== undefined) await writeDurableFile(this.#files().secret, DUMMY_SECRET, 0o600);
  }

  async secretForgotten(): Promise<boolean | undefined> {
    if ((await this.#settings()) === undefined) return undefined;
    const bytes = await this.#read(this.#files().secret);
    const forgotten = bytes === undefined || bytes.toString().trim() === DUMMY_SECRET;
    bytes?.fill(0);
    return forgotten;
  }

  async uninstall(waiting?: (what: string) => void): Promise<void> {
    const files = this.#files();
    const traces = await Promise.all(Object.values(files).map((file) => this.#read(file).catch(() => Buffer.of())));
    if (traces.every((one) => one === undefined)) return;
    for (const { code } of await installedProducts(this.#system, UPGRADE_CODES.fleetd)) {
      await this.#msiexec(['/x', code, '/qn', '/norestart'], waiting);
    }
    // Node keys and the osquery database: to Fleet, a clone made from what is left would be this laptop.
    await rm(at(this.#system, PATHS.orbit), { recursive: true, force: true });
    // The settings go last: while they are there, all of it is ours to remove.
    for (const file of [files.secret, files.certificate, files.settings])
      await removeDurableFile(file).catch(ignoreMissing);
  }

  async found(): Promise<readonly Found[]> {
    const files = Object.values(this.#files());
    const there = await Promise.all(files.map((file) => this.#read(file).catch(() => Buffer.of())));
    const ours = there.some((bytes) => bytes !== undefined);
    const orbit = at(this.#system, PATHS.orbit);
    const left = ((await readdir(orbit).catch(ignoreMissing)) ?? []).length > 0;
    const products = await installedProducts(this.#system, UPGRADE_CODES.fleetd);
    return [
      ...files.filter((_, index) => there[index] !== undefined),
      ...(left ? [orbit] : []),
      ...products.map(({ version }) => `the package ${SERVICES.fleet} ${version}`),
    ].map((what) => ({ what, ours }));
  }

  async log(sinceMs: number): Promise<string> {
    return readRecentLines([at(this.#system, PATHS.orbitLog)], sinceMs, MAX_LOG);
  }

  /** Gives the service the command that goes with the settings, once it is there, and has it read them. */
  async #apply(): Promise<void> {
    const settings = await this.#settings();
    const service = await serviceOf(this.#system, SERVICES.fleet);
    if (settings === undefined || service === undefined) return;
    const { secret, certificate } = this.#files();
    const places = { orbit: at(this.#system, PATHS.orbit), log: at(this.#system, PATHS.orbitLog), secret, certificate };
    const args = ['config', SERVICES.fleet, 'binPath=', renderAgentCommand(settings, places), 'start=', 'auto'];
    await runToolChecked(this.#system, { name: 'sc', args }, 'package-install-failed');
    await setRecovery(this.#system, SERVICES.fleet);
    await stopService(this.#system, SERVICES.fleet);
    await startService(this.#system, SERVICES.fleet);
  }

  /** Runs Windows Installer once nobody else does, and to its end: it undoes a broken installation itself, but not when it is killed. */
  async #msiexec(args: readonly string[], waiting?: (what: string) => void, signal?: AbortSignal): Promise<void> {
    const { clock } = this.#system;
    const deadline = clock.monotonic() + LOCK_WAIT_MS;
    for (let tries = 0; ; tries++) {
      signal?.throwIfAborted();
      const { code } = await runTool(this.#system, { name: 'msiexec', args, timeoutMs: INSTALL_MS });
      const absent = args[0] === '/x' && code === MSI.unknown;
      if (code === 0 || code === MSI.restart || code === MSI.restartBegun || absent) return;
      if (code !== MSI.busy) throw new KiwiError('package-install-failed', { detail: `msiexec: exit code ${code}` });
      if (tries === 0) waiting?.('Windows Installer, which another installation is using');
      if (clock.monotonic() >= deadline) throw new KiwiError('package-manager-busy', { detail: 'Windows Installer' });
      await clock.sleep(LOCK_POLL_MS, signal);
    }
  }

  #files(): { readonly settings: string; readonly secret: string; readonly certificate: string } {
    const folder = at(this.#system, PATHS.fleet);
    return {
      settings: path.join(folder, 'settings.json'),
      secret: path.join(folder, 'secret.txt'),
      certificate: path.join(folder, 'fleet.pem'),
    };
  }

  #settings(): Promise<KeptSettings | undefined> {
    return readKeptSettings(this.#files().settings);
  }

  #read(file: string): Promise<Buffer | undefined> {
    return readCappedFile(file, { maxBytes: MAX_SETTINGS }).catch(ignoreMissing);
  }
}
