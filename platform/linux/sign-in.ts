import { mkdir, readdir, readFile, rm, rmdir, stat } from 'node:fs/promises';

import { ignoreMissing, removeDurableFile, writeDurableFile } from '../../src/core/durable-file.ts';
import { KiwiError } from '../../src/core/errors.ts';
import { readCappedFile } from '../../src/core/read-capped-file.ts';
import { renderKrb5, withInclude, withoutInclude } from '../../src/laptop/sign-in/render-krb5.ts';
import { readSssd, renderSssd } from '../../src/laptop/sign-in/render-sssd.ts';
import { MARKER, type Found } from '../../src/laptop/system/found.ts';
import type { SignIn, SignInSettings, SignInStatus } from '../../src/laptop/system/sign-in.ts';
import { checkSignIn } from './sign-in-support.ts';
import { restartBackends, sssdBackends, waitForBackends } from './sssd-backend.ts';
import { at, runTool, runToolChecked, type LinuxSystem } from './system.ts';

const UNIT = 'sssd.service';
const FOLDER = '/etc/sssd';
const CONFIG = `${FOLDER}/sssd.conf`;
const KEYTAB = `${FOLDER}/kiwistack.keytab`;
const ROOTS = `${FOLDER}/kiwistack-roots.pem`;
const KRB5_FOLDER = '/etc/krb5.conf.d';
const KRB5 = `${KRB5_FOLDER}/kiwistack.conf`;
const KRB5_MAIN = '/etc/krb5.conf';
/** In the order in which they are written; the first one says that the others are ours. */
export const SIGN_IN_FILES = [CONFIG, KEYTAB, ROOTS, KRB5] as const;
/** What SSSD keeps of a domain: people, what they have signed in with, the address of the KDC, settings for libkrb5; and its sockets. */
const CACHES = ['db', 'mc', 'pubconf', 'pubconf/krb5.include.d', 'pipes', 'pipes/private'].map(
  (name) => `/var/lib/sss/${name}`,
);
const MAX_BYTES = 64 * 1024;

/** Debian's profiles for pam-auth-update(8), each with the module by which it is seen to be on. */
const PROFILES = [
  { name: 'sss', file: '/etc/pam.d/common-auth', module: 'pam_sss.so' },
  { name: 'mkhomedir', file: '/etc/pam.d/common-session', module: 'pam_mkhomedir.so' },
] as const;

/** SSSD on Debian and Ubuntu. */
export class SssdSignIn implements SignIn {
  readonly #system: LinuxSystem;

  constructor(system: LinuxSystem) {
    this.#system = system;
  }

  check(): Promise<void> {
    return checkSignIn(this.#system, CONFIG);
  }

  async setUp(settings: SignInSettings, signal?: AbortSignal): Promise<void> {
    await this.check();
    const { directory } = settings;
    const switchedOn = await this.#toSwitchOn();
    const places = { keytab: KEYTAB, roots: ROOTS, switchedOn };
    await writeDurableFile(at(this.#system, CONFIG), renderSssd(settings, places), 0o600);
    await writeDurableFile(at(this.#system, KEYTAB), Buffer.from(directory.kerberos.keytab, 'base64url'), 0o600);
    await writeDurableFile(at(this.#system, ROOTS), directory.ldap.roots, 0o644);
    await mkdir(at(this.#system, KRB5_FOLDER), { recursive: true, mode: 0o755 });
    await writeDurableFile(at(this.#system, KRB5), renderKrb5(directory), 0o644);
    await this.#editKrb5((text) => withInclude(text, KRB5_FOLDER));
    const off = await this.#off();
    if (off.length > 0) await this.#pam('--enable', off);
    await this.#requirePam();
    signal?.throwIfAborted();
    const before = await sssdBackends(this.#system);
    await this.#systemctl(['enable', UNIT]);
    await this.#systemctl(['restart', UNIT]);
    if (await waitForBackends(this.#system, before, signal)) return;
    throw new KiwiError('sign-in-failed', { detail: 'SSSD does not come up with these settings' });
  }

  async remove(): Promise<void> {
    const ours = readSssd((await this.#read(CONFIG)) ?? '');
    if (ours !== undefined) {
      await runTool(this.#system, { name: 'systemctl', args: ['stop', UNIT] });
      const profiles = PROFILES.map(({ name }) => name).filter((name) => ours.switchedOn.includes(`pam ${name}`));
      if (profiles.length > 0) await this.#pam('--disable', profiles);
      if (ours.switchedOn.includes(`unit ${UNIT}`)) await this.#systemctl(['disable', UNIT]);
      for (const folder of CACHES) await this.#empty(folder);
    }
    await this.#editKrb5(withoutInclude);
    if ((await this.#read(KRB5))?.startsWith(MARKER) === true) await removeDurableFile(at(this.#system, KRB5));
    for (const file of [ROOTS, KEYTAB]) await removeDurableFile(at(this.#system, file));
    if (ours !== undefined) await removeDurableFile(at(this.#system, CONFIG));
    if (ours?.switchedOn.includes(`folder ${KRB5_FOLDER}`) === true) {
      await rmdir(at(this.#system, KRB5_FOLDER)).catch(() => undefined);
    }
  }

  restart(): Promise<void> {
    return restartBackends(this.#system);
  }

  async found(): Promise<readonly Found[]> {
    const texts = await Promise.all(SIGN_IN_FILES.map((file) => this.#read(file)));
    // Settings of others are none of our business; our files have names of ours.
    return SIGN_IN_FILES.flatMap((what, index) => {
      const text = texts[index];
      const marked = what !== CONFIG && what !== KRB5 ? true : text?.startsWith(MARKER) === true;
      return text !== undefined && marked ? [{ what, ours: true }] : [];
    });
  }

  async status(): Promise<SignInStatus | undefined> {
    const ours = readSssd((await this.#read(CONFIG)) ?? '');
    if (ours === undefined) return undefined;
    const found = new Set((await this.found()).map(({ what }) => what));
    const off = await this.#off();
    const unit = await runTool(this.#system, { name: 'systemctl', args: ['is-active', '--quiet', UNIT] });
    const [backend] = await sssdBackends(this.#system);
    return {
      revision: ours.revision,
      lacks: [...SIGN_IN_FILES.filter((file) => !found.has(file)), ...off.map((name) => `the PAM profile ${name}`)],
      running: unit.code === 0 && backend !== undefined,
      backendSince: backend?.since,
      certificate: ours.certificate,
    };
  }

  /** What is off now, and what an interrupted run of ours has switched on. */
  async #toSwitchOn(): Promise<string[]> {
    const before = readSssd((await this.#read(CONFIG)) ?? '')?.switchedOn ?? [];
    const off = await this.#off();
    const enabled = await runTool(this.#system, { name: 'systemctl', args: ['is-enabled', '--quiet', UNIT] });
    const now = [
      ...off.map((name) => `pam ${name}`),
      ...(enabled.code === 0 ? [] : [`unit ${UNIT}`]),
      ...((await stat(at(this.#system, KRB5_FOLDER)).catch(ignoreMissing)) === undefined
        ? [`folder ${KRB5_FOLDER}`]
        : []),
    ];
    return [...new Set([...before, ...now])];
  }

  /** The profiles that are off. */
  async #off(): Promise<string[]> {
    const on = await Promise.all(PROFILES.map((profile) => this.#isOn(profile)));
    return PROFILES.filter((_, index) => on[index] !== true).map(({ name }) => name);
  }

  async #isOn({ file, module }: (typeof PROFILES)[number]): Promise<boolean> {
    const text = await readFile(at(this.#system, file), 'utf8').catch(() => '');
    return text.split('\n').some((line) => !line.startsWith('#') && line.includes(module));
  }

  async #pam(what: '--enable' | '--disable', profiles: readonly string[]): Promise<void> {
    await runToolChecked(
      this.#system,
      { name: 'pam-auth-update', args: ['--package', what, ...profiles] },
      'sign-in-failed',
    );
  }

  /** pam-auth-update(8) leaves files alone that somebody has edited, and says nothing. */
  async #requirePam(): Promise<void> {
    for (const profile of PROFILES) {
      if (await this.#isOn(profile)) continue;
      const hint = 'Somebody has edited it by hand. Run `sudo pam-auth-update --force`, and the command again.';
      throw new KiwiError('sign-in-failed', { detail: `${profile.file} has no ${profile.module}`, hint });
    }
  }

  /** The folder stays, as the package made it, with the folders in it. */
  async #empty(folder: string): Promise<void> {
    const place = at(this.#system, folder);
    const entries = (await readdir(place, { withFileTypes: true }).catch(ignoreMissing)) ?? [];
    for (const entry of entries) if (!entry.isDirectory()) await rm(`${place}/${entry.name}`, { force: true });
  }

  /** Removed when nothing is in it but what we wrote. */
  async #editKrb5(edit: (text: string) => string): Promise<void> {
    const file = at(this.#system, KRB5_MAIN);
    const text = (await this.#read(KRB5_MAIN)) ?? '';
    const edited = edit(text);
    if (edited === text) return;
    const mode = (await stat(file).catch(ignoreMissing))?.mode ?? 0o644;
    if (edited === '') await removeDurableFile(file);
    else await writeDurableFile(file, edited, mode & 0o777);
  }

  async #systemctl(args: readonly string[]): Promise<void> {
    await runToolChecked(this.#system, { name: 'systemctl', args, timeoutMs: 60_000 }, 'sign-in-failed');
  }

  async #read(file: string): Promise<string | undefined> {
    const bytes = await readCappedFile(at(this.#system, file), { maxBytes: MAX_BYTES }).catch(ignoreMissing);
    return bytes?.toString('latin1');
  }
}
