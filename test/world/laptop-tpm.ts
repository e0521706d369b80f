import type { ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Laptop } from '../lab/lab.ts';
import { swtpmArguments, tctiOf, type TpmMaker } from './tpm-maker.ts';

const PORT = 2321;
const OURS = '/usr/lib/room-tpm';

/** The programs of tpm2-tools that take a TCTI, each a link to `tpm2`, and OpenSSL, which gets it from a variable. */
const TOOLS = [
  ...['getcap', 'createprimary', 'create', 'load', 'createek', 'startauthsession', 'policysecret'],
  ...['activatecredential', 'flushcontext', 'nvread', 'clear', 'changeauth'],
];

/**
 * A room has no /dev/tpmrm0 of its own: its kernel is the host's. Our program finds a file there, and programs in the system's folders
 * that lead what it asks of that device to a software TPM, one after the other; and that clear away behind it as the kernel would.
 */
const SET_UP = `set -e
  mkdir -p ${OURS}
  [ -e ${OURS}/openssl ] || cp /usr/bin/openssl ${OURS}/openssl
  cat >${OURS}/one <<'END'
#!/bin/sh
exec 9>/run/room-tpm.lock
flock 9
"$@" 9>&-
code=$?
/usr/bin/tpm2 flushcontext -T ${tctiOf(PORT)} -t >/dev/null 2>&1 9>&-
exit $code
END
  chmod 755 ${OURS}/one
  for tool in ${TOOLS.join(' ')}; do
    rm -f /usr/bin/tpm2_$tool
    cat >/usr/bin/tpm2_$tool <<END
#!/bin/sh
[ "\\$1 \\$2" = '-T device:/dev/tpmrm0' ] || { echo "another TPM: \\$*" >&2; exit 1; }
shift 2
exec ${OURS}/one /usr/bin/tpm2 $tool -T ${tctiOf(PORT)} "\\$@"
END
    chmod 755 /usr/bin/tpm2_$tool
  done
  rm -f /usr/bin/openssl
  cat >/usr/bin/openssl <<'END'
#!/bin/sh
[ "$TPM2OPENSSL_TCTI" = device:/dev/tpmrm0 ] || exec ${OURS}/openssl "$@"
export TPM2OPENSSL_TCTI=${tctiOf(PORT)}
exec ${OURS}/one ${OURS}/openssl "$@"
END
  chmod 755 /usr/bin/openssl
  touch /dev/tpmrm0`;

/** A software TPM that is soldered into a laptop of the lab. */
export class LaptopTpm {
  readonly #laptop: Laptop;
  readonly #state: string;
  #process: ChildProcess | undefined;

  private constructor(laptop: Laptop, state: string) {
    this.#laptop = laptop;
    this.#state = state;
  }

  /** @param folder one that the rooms see */
  static async solder(laptop: Laptop, maker: TpmMaker, folder: string): Promise<LaptopTpm> {
    const state = path.join(folder, randomUUID());
    await maker.make(state);
    const tpm = new LaptopTpm(laptop, state);
    await tpm.on();
    return tpm;
  }

  /** Also after the laptop was started again. Another one in its place is what the disk finds in another laptop. */
  async on(): Promise<void> {
    const { code, stderr } = await this.#laptop.run(['/bin/sh', '-c', SET_UP]);
    if (code !== 0) throw new Error(`the TPM could not be connected: ${stderr}`);
    this.#process = this.#laptop.spawn(['/usr/bin/swtpm', ...swtpmArguments(this.#state, PORT)], { stdio: 'ignore' });
    for (let attempt = 0; attempt < 100; attempt++) {
      if ((await this.tool('getcap', 'handles-persistent')).code === 0) return;
      await sleep(100);
    }
    throw new Error('the software TPM does not answer');
  }

  /** As if it were switched off in the firmware. */
  async off(): Promise<void> {
    const process = this.#process;
    this.#process = undefined;
    await this.#laptop.run(['/bin/rm', '-f', '/dev/tpmrm0']);
    if (process === undefined || process.exitCode !== null) return;
    const ended = new Promise((resolve) => process.once('close', resolve));
    process.kill('SIGTERM');
    await ended;
  }

  /** What is inside it: nothing of ours, ever. */
  async inside(): Promise<string> {
    const kinds = ['handles-persistent', 'handles-transient', 'handles-nv-index', 'handles-loaded-session'];
    return (await Promise.all(kinds.map(async (kind) => (await this.tool('getcap', kind)).out))).join('');
  }

  async tool(name: string, ...args: readonly string[]): Promise<{ code: number; out: string }> {
    const argv = [`/usr/bin/tpm2_${name}`, '-T', 'device:/dev/tpmrm0', ...args];
    const { code, stdout, stderr } = await this.#laptop.run(argv);
    return { code, out: stdout + stderr };
  }
}
