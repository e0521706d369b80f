import { access, mkdir, readdir, rm, rmdir } from 'node:fs/promises';
import path from 'node:path';

import { z } from 'zod';

import { ignoreMissing, removeDurableFile, writeDurableFile } from '../../src/core/durable-file.ts';
import { readCappedFile } from '../../src/core/read-capped-file.ts';
import { readKeptSettings, renderKeptSettings, type KeptSettings } from '../../src/laptop/fleet-agent/kept-settings.ts';
import { DUMMY_SECRET, renderAgentCertificate } from '../../src/laptop/fleet-agent/render-agent-settings.ts';
import { readRecentLines } from '../../src/laptop/fleet-agent/recent-lines.ts';
import type { AgentSettings, AgentStatus, FleetAgent } from '../../src/laptop/system/fleet-agent.ts';
import type { Found } from '../../src/laptop/system/found.ts';
import { flushFolder } from '../unix/flush-folder.ts';
import { agentEnvironment } from './fleet-settings.ts';
import { jobState, loadJob, unloadJob } from './launchd.ts';
import { daemonFile, JOBS, PATHS, RECEIPTS } from './paths.ts';
import { readPlistTool } from './read-plist-tool.ts';
import { at, runTool, runToolChecked, type MacSystem } from './system.ts';

const INSTALL_MS = 600_000;
const MAX_LOG = 512 * 1024;
const MAX_SETTINGS = 64 * 1024;
/** Where orbit moves its secret to. */
const KEYCHAIN_ITEM = 'com.fleetdm.fleetd.enroll.secret';

const receipt = z.object({ 'pkg-version': z.string().max(64) });

/** The version in the receipt of a package; undefined when it is not installed. */
export async function installedVersion(system: MacSystem, name: string): Promise<string | undefined> {
  const found = await readPlistTool(system, receipt, { name: 'pkgutil', args: ['--pkg-info-plist', name] });
  return found?.['pkg-version'];
}

/**
 * fleetd's package for macOS, which is the same for everybody: it finds URL and secret in two files. The rest is in the environment of its
 * daemon, which is written after the package has written its own. Not by its profile (`com.fleetdm.fleetd.config`), which a person
 * would have to approve, and in which everybody could read the secret.
 */
export class MacFleetAgent implements FleetAgent {
  readonly #system: MacSystem;

  constructor(system: MacSystem) {
    this.#system = system;
  }

  async status(): Promise<AgentStatus> {
    const [version, settings, job, orbitEnrolled] = await Promise.all([
      installedVersion(this.#system, RECEIPTS.fleet),
      this.#settings(),
      jobState(this.#system, JOBS.fleet),
      this.orbitEnrolled(),
    ]);
    return { version, configuredByUs: settings !== undefined, running: job.running, orbitEnrolled };
  }

  async orbitEnrolled(): Promise<boolean> {
    const bytes = await this.#read(at(this.#system, `${PATHS.orbit}/secret-orbit-node-key.txt`));
    const enrolled = (bytes?.toString().trim() ?? '') !== '';
    bytes?.fill(0);
    return enrolled;
  }

  async configure(settings: AgentSettings): Promise<void> {
    const files = this.#files();
    await mkdir(path.dirname(files.settings), { recursive: true, mode: 0o700 });
    await mkdir(at(this.#system, PATHS.orbit), { recursive: true, mode: 0o755 });
    // First: what follows is ours to remove, also when it is interrupted.
    await writeDurableFile(files.settings, renderKeptSettings(settings), 0o600);
    await writeDurableFile(files.certificate, renderAgentCertificate(settings), 0o644);
    await writeDurableFile(files.url, settings.url, 0o644);
    await writeDurableFile(files.secret, settings.enrollSecret, 0o600);
    await this.#apply();
  }

  async install(packageFile: string, signal?: AbortSignal): Promise<void> {
    if ((await this.#settings()) === undefined) throw new TypeError('configure comes first');
    signal?.throwIfAborted();
    // installd takes packages one after the other by itself. Not interrupted: half a package would be left.
    const command = { name: 'installer', args: ['-pkg', packageFile, '-target', '/'], timeoutMs: INSTALL_MS };
    await runToolChecked(this.#system, command, 'package-install-failed');
    await this.#apply();
  }

  async forgetSecret(): Promise<void> {
    if ((await this.#settings()) === undefined) return;
    // The agent does not wait for the disk: after a power cut it must not be without its node keys and without the secret.
    await flushFolder(at(this.#system, PATHS.orbit));
    await writeDurableFile(this.#files().secret, DUMMY_SECRET, 0o600);
    await this.#forgetInKeychain();
  }

  async secretForgotten(): Promise<boolean | undefined> {
    if ((await this.#settings()) === undefined) return undefined;
    const bytes = await this.#read(this.#files().secret);
    const forgotten = bytes === undefined || bytes.toString().trim() === DUMMY_SECRET;
    bytes?.fill(0);
    return forgotten;
  }

  async uninstall(): Promise<void> {
    const files = this.#files();
    if ((await this.#read(files.settings).catch(() => Buffer.of())) === undefined) return;
    await unloadJob(this.#system, JOBS.fleet);
    if (await isThere(at(this.#system, daemonFile(JOBS.fleet)))) {
      await removeDurableFile(at(this.#system, daemonFile(JOBS.fleet)));
    }
    if ((await installedVersion(this.#system, RECEIPTS.fleet)) !== undefined) {
      const args = ['--forget', RECEIPTS.fleet];
      await runToolChecked(this.#system, { name: 'pkgutil', args }, 'package-install-failed');
    }
    await this.#forgetInKeychain();
    // Node keys and the osquery database: to Fleet, a clone made from what is left would be this laptop.
    await rm(at(this.#system, PATHS.orbit), { recursive: true, force: true });
    await rm(at(this.#system, path.dirname(PATHS.orbitLog)), { recursive: true, force: true });
    // The settings go last: while they are there, all of it is ours to remove.
    await removeDurableFile(files.certificate);
    await removeDurableFile(files.settings);
    await rmdir(path.dirname(files.settings)).catch(() => undefined);
  }

  async found(): Promise<readonly Found[]> {
    const { settings, certificate } = this.#files();
    const kept = [settings, certificate];
    const there = await Promise.all(kept.map((file) => isThere(file)));
    const ours = there[0] === true;
    const left = ((await readdir(at(this.#system, PATHS.orbit)).catch(ignoreMissing)) ?? []).length > 0;
    const version = await installedVersion(this.#system, RECEIPTS.fleet);
    return [
      ...AGENT_SETTINGS.filter((_, index) => there[index]),
      ...(left ? [PATHS.orbit] : []),
      ...(version === undefined ? [] : [`the package ${RECEIPTS.fleet} ${version}`]),
    ].map((what) => ({ what, ours }));
  }

  log(sinceMs: number): Promise<string> {
    return readRecentLines([at(this.#system, PATHS.orbitLog)], sinceMs, MAX_LOG);
  }

  /** Gives the daemon the environment that goes with the settings, once it is there, and has it read them. */
  async #apply(): Promise<void> {
    const settings = await this.#settings();
    const file = at(this.#system, daemonFile(JOBS.fleet));
    if (settings === undefined || !(await isThere(file))) return;
    const places = { secret: `${PATHS.orbit}/secret.txt`, certificate: AGENT_SETTINGS[1] };
    for (const [name, value] of agentEnvironment(settings, places)) {
      const args = ['-replace', `EnvironmentVariables.${name}`, '-string', value, file];
      await runToolChecked(this.#system, { name: 'plutil', args }, 'package-install-failed');
    }
    await unloadJob(this.#system, JOBS.fleet);
    await loadJob(this.#system, JOBS.fleet);
  }

  /** The keychain that root uses has it, where orbit has moved it there; where not, there is nothing to delete. */
  async #forgetInKeychain(): Promise<void> {
    const args = ['delete-generic-password', '-s', KEYCHAIN_ITEM, at(this.#system, PATHS.keychain)];
    await runTool(this.#system, { name: 'security', args });
  }

  #files(): Readonly<Record<'settings' | 'certificate' | 'url' | 'secret', string>> {
    const [settings, certificate] = AGENT_SETTINGS;
    const orbit = at(this.#system, PATHS.orbit);
    return {
      settings: at(this.#system, settings),
      certificate: at(this.#system, certificate),
      url: `${orbit}/fleet_url.txt`,
      secret: `${orbit}/secret.txt`,
    };
  }

  #settings(): Promise<KeptSettings | undefined> {
    return readKeptSettings(this.#files().settings);
  }

  #read(file: string): Promise<Buffer | undefined> {
    return readCappedFile(file, { maxBytes: MAX_SETTINGS }).catch(ignoreMissing);
  }
}

/** Files of ours beside the agent's own folder. */
export const AGENT_SETTINGS = [`${PATHS.fleet}/settings.json`, `${PATHS.fleet}/fleet.pem`] as const;

async function isThere(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
