import { spawn, type ChildProcess } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { LinuxTpm } from '../../../platform/linux/tpm/tpm.ts';
import { linuxSystem, type LinuxSystem } from '../../../platform/linux/system.ts';
import { parsePemBundle, type Certificate } from '../../../src/pki/certificate.ts';
import { runProgram, type RunRequest } from '../../../src/programs/run-program.ts';

/** A software TPM with an endorsement certificate of a maker of our own, as a real one comes from the factory. */
export class SoftwareTpm {
  readonly tpm: LinuxTpm;
  readonly tcti: string;
  /** The maker's root and intermediate. */
  readonly makers: readonly Certificate[];
  readonly #folder: string;
  readonly #process: ChildProcess;

  private constructor(folder: string, port: number, makers: readonly Certificate[], child: ChildProcess) {
    this.#folder = folder;
    this.#process = child;
    this.makers = makers;
    this.tcti = `swtpm:host=127.0.0.1,port=${port}`;
    this.tpm = new LinuxTpm(this.#system(), this.tcti);
  }

  static async start(): Promise<SoftwareTpm> {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'kiwi-tpm-'));
    const at = (name: string): string => path.join(folder, name);
    await Promise.all([mkdir(at('state')), mkdir(at('ca'))]);
    await writeFile(
      at('ca.conf'),
      `statedir = ${at('ca')}\nsigningkey = ${at('ca')}/key.pem\nissuercert = ${at('ca')}/issuer.pem\ncertserial = ${at('ca')}/serial\n`,
    );
    await writeFile(
      at('ca.options'),
      '--platform-manufacturer Example\n--platform-version 1\n--platform-model Laptop\n',
    );
    await writeFile(
      at('setup.conf'),
      `create_certs_tool = /usr/bin/swtpm_localca\ncreate_certs_tool_config = ${at('ca.conf')}\ncreate_certs_tool_options = ${at('ca.options')}\n`,
    );
    const setUp = ['--tpm2', '--config', at('setup.conf'), '--tpm-state', at('state'), '--create-ek-cert'];
    const made = await runProgram({
      program: '/usr/bin/swtpm_setup',
      args: [...setUp, '--create-platform-cert', '--lock-nvram', '--overwrite'],
    });
    if (made.code !== 0) throw new Error(made.stdout.toString() + made.stderr.toString());
    const makers: Certificate[] = [];
    for (const file of ['issuer.pem', 'swtpm-localca-rootca-cert.pem']) {
      makers.push(...parsePemBundle(await readFile(path.join(at('ca'), file), 'utf8')));
    }
    const port = randomInt(20_000, 30_000) * 2;
    const child = spawn(
      '/usr/bin/swtpm',
      [
        ...['socket', '--tpmstate', `dir=${at('state')}`, '--tpm2', '--ctrl', `type=tcp,port=${port + 1}`],
        ...['--server', `type=tcp,port=${port}`, '--flags', 'not-need-init,startup-clear'],
      ],
      { stdio: 'ignore' },
    );
    const software = new SoftwareTpm(folder, port, makers, child);
    for (let attempt = 0; attempt < 50; attempt++) {
      if ((await software.tool('tpm2_getcap', 'handles-persistent')).code === 0) return software;
      await sleep(100);
    }
    await software.stop();
    throw new Error('the software TPM does not answer');
  }

  async tool(name: string, ...args: string[]): Promise<{ code: number; out: string }> {
    const { run } = this.#system();
    const { code, stdout, stderr } = await run({ program: `/usr/bin/${name}`, args: ['-T', this.tcti, ...args] });
    return { code, out: stdout.toString() + stderr.toString() };
  }

  /** A path in the folder that goes with the TPM. */
  file(name: string): string {
    return path.join(this.#folder, name);
  }

  async stop(): Promise<void> {
    this.#process.kill('SIGTERM');
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** The kernel's resource manager clears away after each program; here, nobody else does. */
  #system(): LinuxSystem {
    const run = async (request: RunRequest): ReturnType<typeof runProgram> => {
      const result = await runProgram(request);
      await runProgram({ program: '/usr/bin/tpm2_flushcontext', args: ['-T', this.tcti, '-t'] });
      return result;
    };
    return { ...linuxSystem, run };
  }
}
