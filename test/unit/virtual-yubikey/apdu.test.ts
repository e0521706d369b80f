import { describe, expect, it } from 'vitest';
import { CommandChain, parseCommand, ResponseQueue } from '../../virtual-yubikey/wire/apdu.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

describe('command APDU', () => {
  it.each([
    ['case 1', '00 fd 00 00', '', false],
    ['case 2: a fifth byte without data is Le', '00 fd 00 00 00', '', false],
    ['case 3', '00 20 00 80 02 3132', '3132', false],
    ['case 4', '00 20 00 80 02 3132 00', '3132', false],
    ['case 2 extended', '00 cb 3f ff 00 0000', '', true],
    ['case 3 extended', '00 cb 3f ff 00 0002 3132', '3132', true],
    ['case 4 extended', '00 cb 3f ff 00 0002 3132 0000', '3132', true],
  ])('is read: %s', (_name, bytes, data, extended) => {
    const command = parseCommand(hex(bytes));
    expect(command.data.toString('hex')).toBe(data);
    expect(command.extended).toBe(extended);
  });

  it.each(['00 20 00', '00 20 00 80 03 3132', '00 20 00 80 01 3132 33', '00 cb 3f ff 00 00', '00 cb 3f ff 00 0003 31'])(
    'is refused with 6700: %s',
    (bytes) => {
      expect(() => parseCommand(hex(bytes))).toThrow('status 6700');
    },
  );
});

describe('command chaining', () => {
  const block = (cla: number, ins: number, data: string): ReturnType<typeof parseCommand> => ({
    cla,
    ins,
    p1: 0x3f,
    p2: 0xff,
    data: Buffer.from(data),
    extended: false,
  });

  it('joins blocks until one without bit 0x10', () => {
    const chain = new CommandChain();
    expect(chain.add(block(0x10, 0xdb, 'one '))).toBeUndefined();
    expect(chain.add(block(0x10, 0xdb, 'two '))).toBeUndefined();
    expect(chain.add(block(0x00, 0xdb, 'three'))?.data.toString()).toBe('one two three');
    expect(chain.add(block(0x00, 0xdb, 'new'))?.data.toString()).toBe('new');
  });

  it('drops a chain that another instruction interrupts', () => {
    const chain = new CommandChain();
    chain.add(block(0x10, 0xdb, 'lost'));
    expect(chain.add(block(0x00, 0xcb, 'kept'))?.data.toString()).toBe('kept');
  });

  it('refuses a chain without end', () => {
    const chain = new CommandChain();
    expect(() => {
      for (let blocks = 0; blocks < 20; blocks++) chain.add(block(0x10, 0xdb, 'x'.repeat(255)));
    }).toThrow('status 6700');
  });
});

describe('answer', () => {
  const status = (answer: Buffer): string => answer.subarray(-2).toString('hex');

  it('comes in blocks of 256 bytes, each saying how much waits', () => {
    const queue = new ResponseQueue();
    const data = Buffer.from(Array.from({ length: 600 }, (_, index) => index % 251));
    const blocks = [queue.begin(data, false), queue.next(), queue.next()];
    expect(blocks.map(status)).toEqual(['6100', '6158', '9000']);
    expect(Buffer.concat(blocks.map((block) => block.subarray(0, -2))).equals(data)).toBe(true);
    expect(queue.isEmpty).toBe(true);
  });

  it('comes in one piece for extended length, and when it is short', () => {
    expect(new ResponseQueue().begin(Buffer.alloc(600), true)).toHaveLength(602);
    expect(new ResponseQueue().begin(Buffer.alloc(256), false)).toHaveLength(258);
  });
});
