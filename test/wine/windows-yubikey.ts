import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { build } from 'esbuild';

import { bundleOptions, URL_OF_BUNDLE } from '../../installers/build/bundle-options.ts';
import { runChecked } from '../../src/programs/run-program.ts';
import { fakeYubikey, type FakeYubikey } from '../unit/token/fake-key-host.ts';
import type { Wine } from './wine.ts';
import type { Outcome, Wish } from './yubikey/use-token.ts';

const PROJECT = path.join(import.meta.dirname, '../..');
const SOURCES = path.join(import.meta.dirname, 'yubikey');
const PIN = '123456';

/** A YubiKey behind a module of ours, where Yubico's installer puts the real one; and a program that uses it as ours do. */
export class WindowsYubikey {
  readonly yubikey: FakeYubikey;
  /** Where the module is. */
  readonly folder: string;
  readonly #wine: Wine;
  /** make takes no path with a space in it. */
  readonly #compiled: string;

  private constructor(wine: Wine, yubikey: FakeYubikey) {
    this.#wine = wine;
    this.#compiled = path.join(wine.root, 'compiled');
    this.yubikey = yubikey;
    this.folder = path.join(wine.root, 'Program Files/Yubico/Yubico PIV Tool/bin');
  }

  static async make(wine: Wine, serial: number): Promise<WindowsYubikey> {
    const made = new WindowsYubikey(wine, await fakeYubikey({ serial }));
    await build({
      ...bundleOptions(PROJECT, 'production', 'node22'),
      entryPoints: ['use-token.ts', 'load-module.ts'].map((name) => path.join(SOURCES, name)),
      outdir: wine.program,
      banner: { js: URL_OF_BUNDLE },
    });
    await runChecked({
      program: '/usr/bin/make',
      args: ['-s', '-C', SOURCES, `OUT=${made.#compiled}`],
      timeoutMs: 300_000,
    });
    return made;
  }

  /** As Yubico's installer does. */
  async install(): Promise<void> {
    await cp(this.#compiled, this.folder, { recursive: true });
  }

  async uninstall(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }

  /** A new card: right PIN, all tries. */
  async plugIn(): Promise<void> {
    const { privateKey, reading } = this.yubikey;
    const { x = '', y = '', d = '' } = privateKey.export({ format: 'jwk' });
    const [slot] = reading.slots;
    await rm(this.#card(''), { recursive: true, force: true });
    await mkdir(this.#card(''), { recursive: true });
    await this.put('key', Buffer.concat([x, y, d].map((number) => Buffer.from(number, 'base64url'))));
    await this.put('9c.cer', Buffer.from(slot?.certificate ?? '', 'base64'));
    await this.put('9c-attestation.cer', Buffer.from(slot?.attestation ?? '', 'base64'));
    await this.put('f9.cer', Buffer.from(reading.attestationIssuer ?? '', 'base64'));
    await this.put('pin', PIN);
    await this.put('serial', this.yubikey.serial.toString());
  }

  async pull(): Promise<void> {
    await rm(this.#card('serial'));
  }

  /** A file of the card: see yubikey/module.c and card.c. */
  async put(name: string, contents: string | Buffer = ''): Promise<void> {
    await writeFile(this.#card(name), contents);
  }

  async remove(name: string): Promise<void> {
    await rm(this.#card(name));
  }

  tries(): Promise<string> {
    return readFile(this.#card('tries'), 'utf8');
  }

  /** Does it in one process, by `openToken` and the token host. */
  async use(...wishes: readonly Wish[]): Promise<readonly Outcome[]> {
    const file = path.join(this.#wine.root, 'wishes.json');
    await writeFile(file, JSON.stringify(wishes));
    const { stdout, stderr } = await this.#wine.node('use-token.js', [file]);
    if (stdout.length === 0) throw new Error(stderr.toString());
    return JSON.parse(stdout.toString()) as readonly Outcome[];
  }

  #card(name: string): string {
    return path.join(this.folder, 'card', name);
  }
}
