import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { runProgram } from '../../src/programs/run-program.ts';

/**
 * A maker of software TPMs, with a root and an intermediate of its own: each TPM leaves the factory with a certificate of its endorsement
 * key in it, as a real one does.
 */
export class TpmMaker {
  /** The maker's CA certificates, PEM. */
  readonly certificates: string;
  readonly #folder: string;

  private constructor(folder: string, certificates: string) {
    this.#folder = folder;
    this.certificates = certificates;
  }

  /** @param folder for the maker's keys; created */
  static async create(folder: string): Promise<TpmMaker> {
    const ca = path.join(folder, 'ca');
    await mkdir(ca, { recursive: true });
    const write = (name: string, lines: readonly string[]): Promise<void> =>
      writeFile(path.join(folder, name), `${lines.join('\n')}\n`);
    await write('ca.conf', [
      ...[`statedir = ${ca}`, `signingkey = ${ca}/key.pem`, `issuercert = ${ca}/issuer.pem`],
      `certserial = ${ca}/serial`,
    ]);
    await write('ca.options', [
      ...['--platform-manufacturer Example', '--platform-version 1', '--platform-model Laptop'],
    ]);
    await write('setup.conf', [
      ...['create_certs_tool = /usr/bin/swtpm_localca', `create_certs_tool_config = ${folder}/ca.conf`],
      `create_certs_tool_options = ${folder}/ca.options`,
    ]);
    // The first one makes the CA.
    await manufacture(folder, path.join(folder, 'first'));
    const files = ['issuer.pem', 'swtpm-localca-rootca-cert.pem'].map((name) => readFile(path.join(ca, name), 'utf8'));
    return new TpmMaker(folder, (await Promise.all(files)).join(''));
  }

  /** A new TPM, whose state is in this folder. */
  async make(state: string): Promise<void> {
    await manufacture(this.#folder, state);
  }
}

async function manufacture(folder: string, state: string): Promise<void> {
  await mkdir(state, { recursive: true });
  const certificates = ['--create-ek-cert', '--create-platform-cert', '--lock-nvram', '--overwrite'];
  const made = await runProgram({
    program: '/usr/bin/swtpm_setup',
    args: ['--tpm2', '--config', path.join(folder, 'setup.conf'), '--tpm-state', state, ...certificates],
  });
  if (made.code !== 0) throw new Error(made.stdout.toString() + made.stderr.toString());
}

/** The arguments with which `swtpm` serves it at these two ports. */
export function swtpmArguments(state: string, port: number): string[] {
  return [
    ...['socket', '--tpmstate', `dir=${state}`, '--tpm2', '--ctrl', `type=tcp,port=${port + 1}`],
    ...['--server', `type=tcp,port=${port}`, '--flags', 'not-need-init,startup-clear'],
  ];
}

export const tctiOf = (port: number): string => `swtpm:host=127.0.0.1,port=${port}`;
