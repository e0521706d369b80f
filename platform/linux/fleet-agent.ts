import { mkdir, readdir, readFile, rm, rmdir } from 'node:fs/promises';

import { ignoreMissing, removeDurableFile, removeLeftovers, writeDurableFile } from '../../src/core/durable-file.ts';
import { KiwiError } from '../../src/core/errors.ts';
import { readCappedFile } from '../../src/core/read-capped-file.ts';
import {
  renderAgentCertificate,
  renderAgentDropIn,
  renderAgentEnvironment,
  withoutSecret,
} from '../../src/laptop/fleet-agent/render-agent-settings.ts';
import { MARKER, type Found } from '../../src/laptop/system/found.ts';
import type { FleetAgent, AgentSettings, AgentStatus } from '../../src/laptop/system/fleet-agent.ts';
import { flushFolder } from '../unix/flush-folder.ts';
import { PATHS } from './paths.ts';
import { at, findProgram, runTool, type LinuxSystem } from './system.ts';
import { unitLog } from './unit-log.ts';

const PACKAGE = 'fleet-osquery';
const UNIT = 'orbit.service';
const DROP_IN_FOLDER = `${PATHS.systemdUnits}/${UNIT}.d`;
const DROP_IN = `${DROP_IN_FOLDER}/10-fleet-enroll.conf`;
const ENVIRONMENT = `${PATHS.fleet}/enroll.env`;
const CERTIFICATE = `${PATHS.fleet}/fleet.pem`;
/** In the order in which they are removed. */
export const AGENT_SETTINGS = [DROP_IN, CERTIFICATE, ENVIRONMENT] as const;
const MAX_SETTINGS = 64 * 1024;
const OURS_BEFORE = /^(?:EnvironmentFile=\/etc\/fleet\/enroll\.env|ORBIT_FLEET_CERTIFICATE=\/etc\/fleet\/fleet\.pem)$/m;
const NODE_KEY = `${PATHS.orbit}/secret-orbit-node-key.txt`;

/** A Debian system comes with these folders, but no package owns them: dpkg removes them with the last file in them. */
const DELIVERED = ['/opt', '/usr/local/bin'] as const;

const INSTALL_MS = 180_000;
/** Unattended upgrades may hold dpkg's lock for minutes; we wait that long, retrying every two seconds. */
const LOCK_WAIT_MS = 120_000;
const LOCK_POLL_MS = 2_000;
const MAX_LOG = 512 * 1024;

/** fleetd's Debian package. */
export class DebianFleetAgent implements FleetAgent {
  readonly #system: LinuxSystem;

  constructor(system: LinuxSystem) {
    this.#system = system;
  }

  async status(): Promise<AgentStatus> {
    const [version, configuredByUs, unit, orbitEnrolled] = await Promise.all([
      this.#version(),
      this.#isOurs(),
      runTool(this.#system, { name: 'systemctl', args: ['is-active', '--quiet', UNIT] }),
      this.orbitEnrolled(),
    ]);
    return { version, configuredByUs, running: unit.code === 0, orbitEnrolled };
  }

  async orbitEnrolled(): Promise<boolean> {
    const nodeKey = await this.#read(NODE_KEY, 4096);
    return nodeKey !== undefined && nodeKey.length > 0;
  }

  async configure(settings: AgentSettings): Promise<void> {
    await mkdir(at(this.#system, PATHS.fleet), { recursive: true, mode: 0o700 });
    await mkdir(at(this.#system, DROP_IN_FOLDER), { recursive: true, mode: 0o755 });
    await writeDurableFile(at(this.#system, CERTIFICATE), renderAgentCertificate(settings), 0o644);
    await writeDurableFile(at(this.#system, ENVIRONMENT), renderAgentEnvironment(settings, CERTIFICATE), 0o600);
    await writeDurableFile(at(this.#system, DROP_IN), renderAgentDropIn(ENVIRONMENT, settings.startAfter), 0o644);
    await this.#systemctl(['daemon-reload']);
  }

  async install(packageFile: string, signal?: AbortSignal, waiting?: (what: string) => void): Promise<void> {
    if ((await findProgram(this.#system, 'dpkg')) === undefined) {
      throw new KiwiError('unsupported-system', {
        detail: 'the Fleet agent is a Debian package, and dpkg is not installed',
      });
    }
    // No questions about changed configuration files: nobody is there to answer them.
    await this.#dpkg(['--force-confdef', '--force-confold', '--install', packageFile], waiting, signal);
  }

  async forgetSecret(): Promise<void> {
    const environment = await this.#read(ENVIRONMENT, MAX_SETTINGS);
    if (environment === undefined) return;
    // The agent does not wait for the disk: after a power cut it must not be without its node keys and without the secret.
    await flushFolder(at(this.#system, PATHS.orbit));
    await writeDurableFile(at(this.#system, ENVIRONMENT), withoutSecret(environment.toString()), 0o600);
  }

  async secretForgotten(): Promise<boolean | undefined> {
    const environment = await this.#read(ENVIRONMENT, MAX_SETTINGS);
    if (environment === undefined) return undefined;
    const text = environment.toString();
    return withoutSecret(text) === text;
  }

  async uninstall(waiting?: (what: string) => void): Promise<void> {
    if (await this.#isOurs()) await this.#removeOurs(waiting);
    // Also without them: a write that was killed may have left a partial file, and `configure` the folders.
    for (const file of AGENT_SETTINGS) await removeLeftovers(at(this.#system, file));
    for (const folder of [DROP_IN_FOLDER, PATHS.fleet]) await rmdir(at(this.#system, folder)).catch(() => undefined);
  }

  /** The settings go last: while one of them is there, all of it is ours to remove. */
  async #removeOurs(waiting: ((what: string) => void) | undefined): Promise<void> {
    if ((await this.#packageState()) !== undefined) {
      // Including a package that dpkg marks as needing reinstallation, because dpkg was killed midway.
      await this.#dpkg(['--force-remove-reinstreq', '--purge', PACKAGE], waiting);
      for (const folder of DELIVERED) await mkdir(at(this.#system, folder), { recursive: true, mode: 0o755 });
    }
    // Node keys and the osquery database: to Fleet, a clone made from what is left would be this laptop.
    await rm(at(this.#system, PATHS.orbit), { recursive: true, force: true });
    for (const file of AGENT_SETTINGS) await removeDurableFile(at(this.#system, file));
    await rmdir(at(this.#system, DROP_IN_FOLDER)).catch(() => undefined);
    await this.#systemctl(['daemon-reload']);
    await this.#systemctl(['reset-failed', UNIT]);
  }

  async found(): Promise<readonly Found[]> {
    const ours = await this.#isOurs();
    const [state, orbit] = await Promise.all([
      this.#packageState(),
      readdir(at(this.#system, PATHS.orbit)).catch(() => []),
    ]);
    const settings = await Promise.all(
      AGENT_SETTINGS.map((file) => this.#read(file, MAX_SETTINGS).catch(() => Buffer.of())),
    );
    return [
      ...AGENT_SETTINGS.filter((_, index) => settings[index] !== undefined),
      ...(orbit.length > 0 ? [PATHS.orbit] : []),
      ...(state === undefined ? [] : [`the package ${PACKAGE} ${state.split(' ')[3] ?? ''}`.trim()]),
    ].map((what) => ({ what, ours }));
  }

  log(sinceMs: number): Promise<string> {
    return unitLog(this.#system, { unit: UNIT, sinceMs, lines: 500, maxBytes: MAX_LOG });
  }

  /** Runs dpkg once no other process does, and to its end: killing dpkg midway leaves a half-installed package. */
  async #dpkg(
    args: readonly string[],
    waiting: ((what: string) => void) | undefined,
    signal?: AbortSignal,
  ): Promise<void> {
    const { clock } = this.#system;
    const deadline = clock.monotonic() + LOCK_WAIT_MS;
    for (let tries = 0; ; tries++) {
      signal?.throwIfAborted();
      const result = await runTool(this.#system, { name: 'dpkg', args, timeoutMs: INSTALL_MS });
      if (result.code === 0) return;
      const said = `${result.stderr.toString()}\n${result.stdout.toString()}`.trim();
      const locked = /lock.*(locked by another process|unable to lock|Resource temporarily unavailable)/i.test(said);
      if (!locked) throw new KiwiError('package-install-failed', { detail: said.slice(-500) });
      const holder = await this.#lockHolder(said);
      if (tries === 0) waiting?.(`the package manager, which ${holder} is using`);
      if (clock.monotonic() >= deadline)
        throw new KiwiError('package-manager-busy', { detail: `${holder} is using it` });
      await clock.sleep(LOCK_POLL_MS, signal);
    }
  }

  /** dpkg names the process: "locked by another process with pid 4711". */
  async #lockHolder(said: string): Promise<string> {
    const pid = /\bpid (\d{1,10})\b/.exec(said)?.[1];
    if (pid === undefined) return 'another program';
    const name = await readFile(at(this.#system, `/proc/${pid}/comm`), 'utf8').catch(() => '');
    return `${name.replace(/[^\x20-\x7e]/g, '') || 'a program'} (process ${pid})`;
  }

  /**
   * True when one of the three settings files is ours: an agent without any belongs to somebody else. Version 0.1.0 wrote no
   * markers, but its drop-in names the settings, and they name the certificate.
   */
  async #isOurs(): Promise<boolean> {
    const texts = await Promise.all(
      AGENT_SETTINGS.map((file) => this.#read(file, MAX_SETTINGS).catch(() => undefined)),
    );
    return texts.some((bytes) => {
      const text = bytes?.toString() ?? '';
      return text.startsWith(MARKER) || OURS_BEFORE.test(text);
    });
  }

  async #version(): Promise<string | undefined> {
    const state = await this.#packageState();
    return state?.startsWith('install ok installed ') === true ? state.split(' ')[3] : undefined;
  }

  /**
   * As reported by dpkg-query, also for a partial installation or leftover configuration; undefined when dpkg does not know
   * it.
   */
  async #packageState(): Promise<string | undefined> {
    if ((await findProgram(this.#system, 'dpkg-query')) === undefined) return undefined;
    const args = ['--show', '--showformat=${Status} ${Version}', PACKAGE];
    const result = await runTool(this.#system, { name: 'dpkg-query', args });
    const state = result.stdout.toString().trim();
    return result.code === 0 && !state.includes('not-installed') ? state : undefined;
  }

  async #systemctl(args: readonly string[]): Promise<void> {
    await runTool(this.#system, { name: 'systemctl', args, timeoutMs: 30_000 });
  }

  async #read(file: string, maxBytes: number): Promise<Buffer | undefined> {
    return readCappedFile(at(this.#system, file), { maxBytes }).catch(ignoreMissing);
  }
}
