import { spawn, type ChildProcess } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { LinuxTpm } from '../../../platform/linux/tpm/tpm.ts';
import { linuxSystem, type LinuxSystem } from '../../../platform/linux/system.ts';
import { parsePemBundle, type Certificate } from '../../../src/pki/certificate.ts';
import { runProgram, type RunRequest } from '../../../src/programs/run-program.ts';
import { swtpmArguments, tctiOf, TpmMaker } from '../../world/tpm-maker.ts';

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
    this.tcti = tctiOf(port);
    this.tpm = new LinuxTpm(this.#system(), this.tcti);
  }

  static async start(): Promise<SoftwareTpm> {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'kiwi-tpm-'));
    const state = path.join(folder, 'state');
    const maker = await TpmMaker.create(path.join(folder, 'maker'));
    await maker.make(state);
    const port = randomInt(20_000, 30_000) * 2;
    const child = spawn('/usr/bin/swtpm', swtpmArguments(state, port), { stdio: 'ignore' });
    const software = new SoftwareTpm(folder, port, parsePemBundle(maker.certificates), child);
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
