import { freshPin, pinTriesLeft, UNDONE, type Failure, type Stage } from './failure.ts';

const ownKey = ({ customer, seat }: Stage): string => customer.world.keyFile(seat.serial);
const pullAll = ({ seat }: Stage): Promise<unknown> => seat.reader.control.pull();
const insertOwn = (stage: Stage): Promise<unknown> => stage.seat.reader.control.insert(ownKey(stage));
const onlyOwn = async (stage: Stage): Promise<void> => {
  await pullAll(stage).catch(() => undefined);
  await insertOwn(stage);
};

/** What a person does, or does not do, with key and PIN. */
export const KEY_FAILURES: readonly Failure[] = [
  {
    name: 'no key comes in time',
    arrange: pullAll,
    restore: insertOwn,
    cli: { args: ['--wait', '1'] },
    meanwhile: (run) => run.untilType('waiting-for-key'),
    step: 'key',
    code: 'key-absent',
    exit: 3,
    undone: UNDONE.nothing,
  },
  {
    name: 'a key without a certificate',
    arrange: async (stage) => {
      await pullAll(stage);
      const blank = stage.seat.serial + 5000;
      stage.customer.world.makeKey(blank);
      await stage.seat.reader.control.insert(stage.customer.world.keyFile(blank));
    },
    restore: onlyOwn,
    cli: { args: ['--wait', '1'] },
    step: 'key',
    code: 'key-not-enrolled',
    exit: 3,
    undone: UNDONE.nothing,
  },
  {
    name: 'another key than the one that was asked for',
    cli: { args: ['--wait', '1', '--serial', '99999999'] },
    step: 'key',
    code: 'key-other',
    exit: 3,
    says: /serial 99999999 was asked for; plugged in: \d+/u,
    undone: UNDONE.nothing,
  },
  {
    name: 'two keys, and nobody to ask which one',
    arrange: async (stage) => stage.seat.reader.control.insert(stage.customer.world.keyFile(await stage.otherKey())),
    restore: onlyOwn,
    step: 'key',
    code: 'key-several',
    exit: 3,
    undone: UNDONE.nothing,
  },
  {
    name: 'a wrong PIN',
    cli: { pin: '654321' },
    restore: freshPin,
    step: 'statement',
    code: 'pin-wrong',
    exit: 3,
    says: /2 tries left/u,
    undone: UNDONE.statement,
  },
  {
    name: 'a wrong PIN at the last try',
    arrange: pinTriesLeft(1),
    restore: freshPin,
    cli: { pin: '654321' },
    step: 'statement',
    code: 'pin-locked',
    exit: 3,
    undone: UNDONE.statement,
  },
  {
    name: 'a PIN that is locked already is not asked for',
    arrange: pinTriesLeft(0),
    restore: freshPin,
    cli: { pin: null },
    step: 'key',
    code: 'pin-locked',
    exit: 3,
    undone: UNDONE.nothing,
  },
  {
    name: 'a PIN that is too short uses up no try',
    cli: { pin: '12' },
    meanwhile: async (run, { seat }) => {
      await run.ended;
      const { keys } = await seat.reader.control.show();
      if (keys[0]?.pinTriesLeft !== 3) throw new Error('a try was used up');
    },
    step: 'statement',
    code: 'pin-malformed',
    exit: 3,
    undone: UNDONE.statement,
  },
  {
    name: 'no PIN',
    cli: { pin: '' },
    step: 'statement',
    code: 'pin-cancelled',
    exit: 3,
    undone: UNDONE.statement,
  },
  {
    name: 'no touch comes',
    arrange: ({ seat }) => seat.reader.control.touchMode('never'),
    restore: ({ seat }) => seat.reader.control.touchMode('auto', 0),
    step: 'statement',
    code: 'touch-timeout',
    exit: 3,
    undone: UNDONE.statement,
  },
  {
    name: 'the key is pulled while it waits for a touch',
    arrange: ({ seat }) => seat.reader.control.touchMode('manual'),
    meanwhile: async (run, { seat }) => {
      await run.untilType('touch-expected');
      await seat.reader.control.untilBlinking();
      await seat.reader.control.pull();
    },
    restore: async (stage) => {
      await stage.seat.reader.control.touchMode('auto', 0);
      await insertOwn(stage);
    },
    step: 'statement',
    code: 'key-removed',
    exit: 3,
    undone: UNDONE.statement,
  },
  {
    name: 'the key is pulled before the PIN is entered',
    cli: { pin: null },
    meanwhile: async (run, { seat }) => {
      await run.untilType('pin-expected');
      await seat.reader.control.pull();
      run.typePin('123456');
    },
    restore: insertOwn,
    step: 'statement',
    code: 'key-removed',
    exit: 3,
    undone: UNDONE.statement,
  },
  {
    name: 'somebody else’s key is put in before the PIN is entered: it never sees the PIN',
    cli: { pin: null },
    meanwhile: async (run, { customer, seat, otherKey }) => {
      const other = await otherKey();
      await run.untilType('pin-expected');
      await seat.reader.control.pull();
      await seat.reader.control.insert(customer.world.keyFile(other));
      run.typePin('654321');
      await run.ended;
      const { keys } = await seat.reader.control.show();
      if (keys[0]?.pinTriesLeft !== 3) throw new Error('the other key saw the PIN');
    },
    restore: onlyOwn,
    step: 'statement',
    code: 'key-changed',
    exit: 3,
    undone: UNDONE.statement,
  },
];
