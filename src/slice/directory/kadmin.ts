import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';

import { writeDurableFile } from '../../core/durable-file.ts';
import { KiwiError, toKiwiError } from '../../core/errors.ts';
import { krb5Conf } from '../../core/krb5-conf.ts';
import { readCappedFile } from '../../core/read-capped-file.ts';
import { MINIMAL_ENVIRONMENT } from '../../programs/minimal-environment.ts';
import { runProgram } from '../../programs/run-program.ts';

export interface KadminSettings {
  /** Heimdal's kadmin(1): MIT's has other options. */
  readonly program: string;
  /** Who the slice is to kadmind, and the file of its key. */
  readonly principal: string;
  readonly keytab: string;
  readonly realm: string;
  readonly kdcs: readonly string[];
  /** `host` or `host:port` of kadmind. */
  readonly server: string;
  /** A folder of the slice, in which there are secrets for a moment. */
  readonly folder: string;
}

/** What the slice asks of kadmind. */
export interface Kadmin {
  /** A principal with a random key; one that is there stays as it is. */
  add(principal: string): Promise<void>;
  /** @returns its keytab, with the key that it has */
  keytab(principal: string): Promise<Buffer>;
  /** One that is not there is not missed. */
  remove(principal: string): Promise<void>;
}

const LIMIT_MS = 10_000;
const MAX_OUTPUT = 64 * 1024;
const MAX_KEYTAB = 4096;
const EXISTS = /already exists|Principal or policy already exists/iu;
const MISSING = /does not exist|no such entry|Principal does not exist/iu;

/**
 * Heimdal's kadmin, as a program: kadmind's protocol has no other implementation. Each call has a folder that only we can read: krb5.conf, so that the
 * machine's own settings do not matter, and the keytab. No secret is in an argument, and no ticket is left behind.
 */
export function createKadmin(settings: KadminSettings): Kadmin {
  const ask = async (command: readonly string[], folder: string): Promise<string> => {
    const { program, principal, keytab, realm, server } = settings;
    const [host = '', port] = server.split(':');
    const config = path.join(folder, 'krb5.conf');
    const { kdcs } = settings;
    await writeDurableFile(config, krb5Conf({ realm, kdcs, adminServer: server, domains: [] }), 0o600);
    const args = [
      ...[`--config-file=${config}`, `--principal=${principal}`, `--keytab=${keytab}`, `--realm=${realm}`],
      ...[`--admin-server=${host}`, ...(port === undefined ? [] : [`--server-port=${port}`])],
    ];
    const env = { ...MINIMAL_ENVIRONMENT, KRB5_CONFIG: config, KRB5CCNAME: `FILE:${path.join(folder, 'tickets')}` };
    const { code, stdout, stderr } = await runProgram({
      ...{ program, args: [...args, ...command], env, cwd: folder, timeoutMs: LIMIT_MS, maxOutputBytes: MAX_OUTPUT },
    });
    // It ends with 0 where a principal is there already, or is not: what it says decides.
    const said = `${stderr.toString()}\n${stdout.toString()}`.trim();
    if (code !== 0 && said === '') throw unavailable(command, `exit code ${code}`);
    return said;
  };
  const within = async <Result>(work: (folder: string) => Promise<Result>): Promise<Result> => {
    await mkdir(settings.folder, { recursive: true, mode: 0o700 });
    const folder = await mkdtemp(path.join(settings.folder, 'kadmin-'));
    try {
      return await work(folder);
    } catch (error) {
      if (error instanceof KiwiError && error.code === 'directory-unavailable') throw error;
      throw new KiwiError('directory-unavailable', { detail: toKiwiError(error).detail ?? 'kadmin', cause: error });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  };
  return {
    add: (principal) =>
      within(async (folder) => {
        const said = await ask(['add', '--random-key', '--use-defaults', principal], folder);
        if (said !== '' && !EXISTS.test(said)) throw unavailable(['add'], said);
      }),
    keytab: (principal) =>
      within(async (folder) => {
        const file = path.join(folder, 'device.keytab');
        const said = await ask(['ext_keytab', `--keytab=FILE:${file}`, principal], folder);
        return await readCappedFile(file, { maxBytes: MAX_KEYTAB, private: true }).catch((error: unknown) => {
          throw unavailable(['ext_keytab'], said === '' ? toKiwiError(error).message : said);
        });
      }),
    remove: (principal) =>
      within(async (folder) => {
        const said = await ask(['delete', principal], folder);
        if (said !== '' && !MISSING.test(said)) throw unavailable(['delete'], said);
      }),
  };
}

function unavailable([verb = '']: readonly string[], said: string): KiwiError {
  return new KiwiError('directory-unavailable', { detail: `kadmin ${verb}: ${said.slice(-300)}` });
}
