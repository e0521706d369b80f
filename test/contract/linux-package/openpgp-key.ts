import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Makes a key that signs, as a provider would. @returns the file with the secret key, in a given folder */
export async function makeOpenpgpKey(folder: string, name: string, passphrase = ''): Promise<string> {
  const home = await mkdtemp(path.join(tmpdir(), 'kiwi-key-'));
  const env = { PATH: '/usr/bin:/bin', GNUPGHOME: home };
  const gpg = (args: readonly string[]): Promise<{ stdout: string }> =>
    run('/usr/bin/gpg', ['--batch', '--pinentry-mode', 'loopback', '--passphrase', passphrase, ...args], { env });
  try {
    await gpg(['--quick-gen-key', `${name} <archive@kiwistack.example>`, 'ed25519', 'sign', '0']);
    const { stdout } = await gpg(['--armor', '--export-secret-keys']);
    const file = path.join(folder, `${name}.asc`);
    await writeFile(file, stdout, { mode: 0o600 });
    return file;
  } finally {
    await run('/usr/bin/gpgconf', ['--kill', 'all'], { env });
    await rm(home, { recursive: true, force: true });
  }
}
