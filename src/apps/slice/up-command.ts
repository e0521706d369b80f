import path from 'node:path';
import { setFlagsFromString } from 'node:v8';

import { pino, type Logger } from 'pino';

import { EXIT } from '../../core/error-codes.ts';
import { runsAsService } from '../../core/outlive-reader.ts';
import { sliceNotices } from '../../slice/config/slice-notices.ts';
import { slicePaths } from '../../slice/config/slice-paths.ts';
import { runSlice } from '../../slice/run/run-slice.ts';
import { asTyped } from '../../terminal/reader.ts';
import { printAnswer, printJson } from '../../terminal/report.ts';
import type { CommandContext, SliceFlags } from './command-context.ts';

export interface UpFlags extends SliceFlags {
  readonly log: string;
}

/**
 * Runs until a signal arrives. A second signal does not cut the shutdown short, which would leave step-ca and the
 * interface behind.
 */
export async function upCommand(flags: UpFlags, context: CommandContext): Promise<number> {
  runsAsService();
  // Events go to stdout; the log goes to stderr, as JSON lines with request ids.
  const log = openLog(flags.log);
  // Most of what a gateway allocates lives only as long as a request. This setting lets the heap grow further before V8
  // marks live objects: by default, its marking threads take a tenth of the gateway's time.
  setFlagsFromString('--heap-growing-percent=1000');
  // The terminal may be closed, or the disk behind a redirection full: neither may end the slice without a clean stop.
  const ended = new Promise<string>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve(signal));
  });
  const say = (event: { type: 'ready' | 'stopping' } & Record<string, unknown>, line: string): void => {
    if (flags.json === true) printJson(event);
    else process.stdout.write(`${line}\n`);
  };
  const dir = path.resolve(flags.dir);
  const slice = await runSlice({ dir, clock: context.clock, env: context.env, log });
  const { config, fleet, identity } = slice.context;
  const { host, port } = slice.listen;
  if (fleet === undefined) {
    process.stderr.write(
      `${asTyped('Fleet is not configured, so no laptop can enroll yet. See `kiwistack-slice fleet --help`.')}\n`,
    );
  }
  for (const { failing, text } of await sliceNotices(slicePaths(dir), config, new Date(context.clock.now()))) {
    process.stderr.write(`${failing ? 'error' : 'warning'}: ${text}\n`);
  }
  say(
    {
      type: 'ready',
      pid: process.pid,
      slug: config.customer.slug,
      gatewayUrl: config.gateway.url,
      listen: { host, port },
      inside: config.inside.address,
      stepCa: `https://${config.inside.address}:${config.ca.port}`,
      stepCaPid: slice.stepCaPid(),
      interface: config.wireguard.interface,
      wireguardPort: config.wireguard.port,
      mspRoot: identity.mspRoot.pem,
    },
    `The slice of ${config.customer.name} is up: gateway ${config.gateway.url} (${host}:${port}), step-ca and tunnel at ${config.inside.address}.`,
  );
  const signal = await ended;
  say({ type: 'stopping', signal }, 'Stopping.');
  await slice.stop();
  printAnswer(flags, 'stopped', {}, ['Stopped.']);
  return EXIT.done;
}

/** How many bytes of the log may wait for a full disk or a stalled reader; anything beyond that is dropped. */
const MAX_WAITING = 1 << 20;

/**
 * Lines are buffered up to this size or time, because every write costs as much as a line. A kill loses them; errors
 * are written at once.
 */
const GATHER = { bytes: 4096, ms: 200 } as const;

/** pino's number for the level `error`. */
const ERROR = 50;

function openLog(level: string): Logger {
  const destination = logDestination();
  let timer: NodeJS.Timeout | undefined;
  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    destination.flush();
  };
  return pino(
    {
      level,
      base: null,
      hooks: {
        logMethod(args, method, severity) {
          method.apply(this, args);
          if (severity >= ERROR) flush();
          else timer ??= setTimeout(flush, GATHER.ms).unref();
        },
      },
    },
    destination,
  );
}

/** The destination is flushed when the process exits. */
function logDestination(): ReturnType<typeof pino.destination> {
  const destination = pino.destination({ dest: 2, sync: false, minLength: GATHER.bytes, maxLength: MAX_WAITING });
  const flush = destination.flushSync.bind(destination);
  destination.on('error', () => {
    // When the process exits, it would retry for ever what the disk does not accept.
    destination.flushSync = () => undefined;
  });
  destination.on('write', () => {
    destination.flushSync = flush;
  });
  return destination;
}
