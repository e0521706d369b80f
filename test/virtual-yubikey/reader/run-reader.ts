import { join, resolve } from 'node:path';
import { startControlServer } from './control-server.ts';
import { Reader } from './reader.ts';
import type { TouchSettings } from './touch-sensor.ts';

/** What the `reader` command is told. */
export interface RunReaderOptions {
  readonly directory: string;
  readonly keys: readonly string[];
  /** How many keys can be inserted at once, which is how many readers there are; by default one, or two for two keys. */
  readonly places?: 1 | 2;
  readonly touch: TouchSettings;
  /** Also end when standard input does: then no reader outlives the process that started it. */
  readonly endWithInput: boolean;
}

/** Runs a reader until SIGTERM, SIGINT, or the end of pcscd; says `{"type":"ready"}` once tools can see it. */
export async function runReader(options: RunReaderOptions): Promise<number> {
  const directory = resolve(options.directory);
  const asked = Promise.withResolvers<number>();
  process.once('SIGTERM', () => asked.resolve(0));
  process.once('SIGINT', () => asked.resolve(0));
  if (options.endWithInput)
    process.stdin
      .on('end', () => asked.resolve(0))
      .on('error', () => asked.resolve(0))
      .resume();

  const places = options.places ?? (options.keys.length > 1 ? 2 : 1);
  const reader = await Reader.start(directory, places, options.keys, options.touch);
  const server = await startControlServer(join(directory, 'control.sock'), reader);
  let stopping = false;
  void reader.ended.then(() => {
    if (stopping) return;
    process.stderr.write('error: pcscd ended by itself\n');
    asked.resolve(1);
  });
  process.stdout.write('{"type":"ready"}\n');
  const code = await asked.promise;
  stopping = true;
  server.close();
  await reader.stop();
  return code;
}
