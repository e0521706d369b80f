import { Command, InvalidArgumentError, Option } from 'commander';
import { VirtualYubiKeyControl, type Fault, type TouchMode } from './control.ts';
import { makeKey } from './key/make-key.ts';
import { makeRoot } from './key/make-root.ts';
import { prepareNamespace, quickenLoopback } from './reader/private-namespace.ts';
import { runReader } from './reader/run-reader.ts';

const touchModes: readonly TouchMode[] = ['auto', 'manual', 'never'];

const program = new Command('virtual-yubikey')
  .description('A YubiKey PIV application in software, behind pcscd, for tests of programs that use one.')
  .addHelpText(
    'after',
    `
Examples:
  node main.ts make-root --dir root
  node main.ts make-key --state alice.json --root root --serial 12345678
  node main.ts reader --dir reader --keys alice.json --touch manual
  node main.ts touch --control reader/control.sock
  node main.ts fault '{"atApdu":1,"ins":135,"action":"pull"}' --control reader/control.sock`,
  );

program
  .command('make-root')
  .description("make the stand-ins of Yubico's authorities, and roots.pem with their certificates; what is there stays")
  .requiredOption('--dir <directory>', 'where to write them')
  .action((options: { dir: string }) => void makeRoot(options.dir));

program
  .command('make-key')
  .description('make the state file of a new key: PIN 123456, PUK 12345678, default management key')
  .requiredOption('--state <file>', 'the state file; must not exist')
  .requiredOption('--root <directory>', 'directory of make-root')
  .option('--serial <number>', 'serial (default: random)', wholeNumber)
  .addOption(new Option('--firmware <version>', 'firmware').choices(['5.4.3', '5.7.1', '5.7.4']).default('5.4.3'))
  .option('--form-factor <number>', '1 keychain A, 2 nano A, 3 keychain C, 4 nano C, 5 Lightning', wholeNumber, 1)
  .option('--fips', 'a FIPS key', false)
  .action(
    (options: {
      state: string;
      root: string;
      serial?: number;
      firmware: string;
      formFactor: number;
      fips: boolean;
    }) => {
      const { serial, firmware, formFactor, fips } = options;
      const state = makeKey({
        statePath: options.state,
        rootDirectory: options.root,
        ...(serial === undefined ? {} : { serial }),
        firmware,
        formFactor,
        fips,
      });
      print({ serial: state.serial });
    },
  );

program
  .command('reader')
  .description('run pcscd with a place for a key (or two), in the current namespaces, until SIGTERM')
  .requiredOption('--dir <directory>', 'for reader.conf, pcscd.log and control.sock')
  .option('--keys <file...>', 'state files of the keys to insert', [])
  .addOption(
    new Option('--places <number>', 'how many keys can be inserted at once (default: 1, or 2 for two keys)').choices([
      '1',
      '2',
    ]),
  )
  .addOption(new Option('--touch <mode>', 'who touches').choices(touchModes).default('auto'))
  .option('--touch-delay <ms>', 'auto: how long the finger takes', wholeNumber, 0)
  .option('--touch-timeout <ms>', 'how long a key blinks', wholeNumber, 15_000)
  .option(
    '--quick-loopback',
    'set quickack routes on lo (100 times faster; only in a private network namespace)',
    false,
  )
  .option(
    '--in-new-namespaces',
    'mount a private /run/pcscd and bring lo up first (only in namespaces just made)',
    false,
  )
  .option('--end-with-input', 'also end when standard input does', false)
  .action(
    async (options: {
      dir: string;
      keys: string[];
      places?: '1' | '2';
      touch: TouchMode;
      touchDelay: number;
      touchTimeout: number;
      quickLoopback: boolean;
      inNewNamespaces: boolean;
      endWithInput: boolean;
    }) => {
      if (options.inNewNamespaces) prepareNamespace();
      else if (options.quickLoopback) quickenLoopback();
      const code = await runReader({
        directory: options.dir,
        keys: options.keys,
        ...(options.places === undefined ? {} : { places: options.places === '2' ? 2 : 1 }),
        touch: { mode: options.touch, delayMs: options.touchDelay, timeoutMs: options.touchTimeout },
        endWithInput: options.endWithInput,
      });
      process.exit(code);
    },
  );

hand('insert <file>', 'plug in the key of a state file').action(async (file: string, options: HandOptions) =>
  print({ serial: await control(options).insert(file) }),
);
hand('pull [serial]', 'pull this key, or all').action(async (serial: string | undefined, options: HandOptions) =>
  print({ pulled: await control(options).pull(serial === undefined ? undefined : wholeNumber(serial)) }),
);
hand('touch', 'touch what blinks, or what blinks within the next second').action(async (options: HandOptions) =>
  print({ touched: await control(options).touch() }),
);
hand('touch-mode <mode>', 'auto, manual or never')
  .option('--delay <ms>', 'auto: how long the finger takes', wholeNumber)
  .option('--timeout <ms>', 'how long a key blinks', wholeNumber)
  .action(async (mode: string, options: HandOptions & { delay?: number; timeout?: number }) => {
    const known = touchModes.find((one) => one === mode);
    if (!known) throw new Error(`touch mode must be one of ${touchModes.join(', ')}`);
    await control(options).touchMode(known, options.delay, options.timeout);
  });
hand('show', 'what is plugged in, what blinks, what will go wrong').action(async (options: HandOptions) =>
  print(await control(options).show()),
);
hand('fault <json>', 'make something go wrong at an APDU (see README.md)').action(
  async (json: string, options: HandOptions) => control(options).fault(JSON.parse(json) as Fault),
);
hand('clear-faults', 'let nothing go wrong any more').action(async (options: HandOptions) =>
  control(options).clearFaults(),
);

interface HandOptions {
  readonly control: string;
}

function hand(name: string, description: string): Command {
  return program
    .command(name)
    .description(description)
    .requiredOption('--control <socket>', 'control.sock of a running reader');
}

function control(options: HandOptions): VirtualYubiKeyControl {
  return new VirtualYubiKeyControl(options.control);
}

function print(value: object): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('must be a whole number');
  return Number(text);
}

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
  // Not only the exit code: `reader` listens to its input, which would keep it here for ever.
  process.exit(1);
}
