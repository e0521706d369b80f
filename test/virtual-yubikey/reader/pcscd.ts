import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { existsSync, openSync, closeSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** vpcd has two slots, one port each. */
export const VPCD_PORTS = [0x8c7b, 0x8c7c] as const;

const PCSCD = '/usr/sbin/pcscd';
const SETPRIV = '/usr/bin/setpriv';
const COMPILERS = ['/usr/bin/gcc', '/usr/bin/cc', '/usr/bin/clang'];
/** Where clients connect; fixed when pcscd was built. */
export const PCSCD_SOCKET = '/run/pcscd/pcscd.comm';
const DRIVERS = [
  '/usr/lib/pcsc/drivers/serial/libifdvpcd.so',
  '/usr/lib64/pcsc/drivers/serial/libifdvpcd.so',
  '/usr/local/lib/pcsc/drivers/serial/libifdvpcd.so',
];

/** A pcscd of our own. */
export interface Pcscd {
  readonly process: ChildProcess;
  stop(): Promise<void>;
}

/**
 * Starts pcscd with a private reader.conf, in the current namespaces, and waits until clients can connect.
 *
 * @param places how many readers a person sees: pcscd asks the driver once, at its start
 */
export async function startPcscd(directory: string, places: 1 | 2): Promise<Pcscd> {
  const driver = DRIVERS.find((path) => existsSync(path));
  if (!existsSync(PCSCD)) throw new Error(`no ${PCSCD}: install pcscd`);
  if (driver === undefined) throw new Error('no libifdvpcd.so: install vsmartcard-vpcd');
  if (existsSync(PCSCD_SOCKET))
    throw new Error(`${PCSCD_SOCKET} exists: another pcscd runs here; use a private /run/pcscd`);
  const configuration = join(directory, 'reader.conf');
  writeFileSync(configuration, readerConfiguration(places === 1 ? buildOneSlotDriver(directory, driver) : driver));
  const log = openSync(join(directory, 'pcscd.log'), 'a', 0o600);
  // Dies with us, also when we are killed; outside a pid namespace nothing else would see to that.
  const withUs = ['--pdeathsig', 'KILL', '--'];
  const child = spawn(SETPRIV, [...withUs, PCSCD, '-f', '-c', configuration], {
    stdio: ['ignore', log, log],
    cwd: '/',
  });
  closeSync(log);
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGTERM');
    const late = setTimeout(() => child.kill('SIGKILL'), 2_000);
    await ended;
    clearTimeout(late);
  };
  const deadline = Date.now() + 60_000;
  while (!(await listens(PCSCD_SOCKET))) {
    if (child.exitCode !== null || child.signalCode !== null || Date.now() > deadline) {
      await stop();
      throw new Error(`pcscd did not start; see ${join(directory, 'pcscd.log')}`);
    }
    await sleep(5);
  }
  return { process: child, stop };
}

/** The socket's file is there a moment before pcscd takes connections on it. */
function listens(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    const end = (answers: boolean): void => {
      socket.destroy();
      resolve(answers);
    };
    socket.once('connect', () => end(true)).once('error', () => end(false));
  });
}

/** vpcd's driver behind one that has a single slot (0.1 s). */
function buildOneSlotDriver(directory: string, driver: string): string {
  const compiler = COMPILERS.find((path) => existsSync(path));
  if (compiler === undefined) throw new Error('no C compiler: install gcc');
  const library = join(directory, 'one-slot.so');
  const source = join(import.meta.dirname, 'one-slot.c');
  const options = ['-shared', '-fPIC', '-Wall', '-Werror', `-DVPCD=${JSON.stringify(driver)}`, '-o', library, source];
  execFileSync(compiler, [...options, '-ldl'], { stdio: ['ignore', 'ignore', 'inherit'] });
  return library;
}

// The name must begin with "Yubico" for ykcs11 and contain "yubico yubikey" for ykman.
function readerConfiguration(driver: string): string {
  const channel = `0x${VPCD_PORTS[0].toString(16).toUpperCase()}`;
  return [
    'FRIENDLYNAME "Yubico YubiKey OTP+FIDO+CCID"',
    `DEVICENAME   /dev/null:${channel}`,
    `LIBPATH      ${driver}`,
    `CHANNELID    ${channel}`,
    '',
  ].join('\n');
}
