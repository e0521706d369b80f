import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openWorkbench, PIN, SERIAL, succeeds, YKCS11, type Workbench } from './workbench.ts';

const OTHER = 87654321;
/** Sends APDUs over PC/SC as they stand, one a line of its input, and prints the answers; Debian's ykman brings the library. */
const SEND_APDUS = `
import sys
from smartcard.System import readers
connection = readers()[0].createConnection()
connection.connect()
for line in sys.stdin:
    data, sw1, sw2 = connection.transmit(list(bytes.fromhex(line)))
    print(bytes(data).hex() + "%02x%02x" % (sw1, sw2))
`;

const openscReaders = async (bench: Workbench): Promise<string[]> =>
  (await succeeds(bench.run('/usr/bin/opensc-tool', '-l'))).split('\n').filter((line) => /^\d/.test(line));
const pkcs11Slots = async (bench: Workbench): Promise<number> =>
  (await succeeds(bench.pkcs11('-L'))).split('\n').filter((line) => line.startsWith('Slot ')).length;
const ykmanList = async (bench: Workbench): Promise<string[]> =>
  (await succeeds(bench.run('/usr/bin/ykman', 'list'))).trim().split('\n');

describe('what a person sees of the readers', () => {
  let bench: Workbench;
  beforeAll(async () => {
    bench = await openWorkbench();
  });
  afterAll(() => bench.close());

  it('is one for one key, in each program', async () => {
    expect(await openscReaders(bench)).toHaveLength(1);
    expect(await pkcs11Slots(bench)).toBe(1);
    expect(await ykmanList(bench)).toEqual([expect.stringContaining(`Serial: ${SERIAL}`)]);
    expect(await succeeds(bench.run('/usr/bin/yubico-piv-tool', '-a', 'list-readers'))).toBe(
      'Yubico YubiKey OTP+FIDO+CCID 00 00\n',
    );
  });

  it('needs no --device and no --reader', async () => {
    expect(await succeeds(bench.run('/usr/bin/ykman', 'piv', 'info'))).toMatch(/PIN tries remaining:\s+3\/3/);
    expect(await succeeds(bench.run('/usr/bin/ykman', 'info'))).toContain(`Serial number: ${SERIAL}`);
    expect(
      await succeeds(bench.run('/usr/bin/pkcs11-tool', '--module', YKCS11, '-O', '--login', '--pin', PIN)),
    ).toContain('X.509 Certificate for PIV Attestation');
  });

  it('has no place for a second key unless it was asked for', async () => {
    const other = bench.makeKey({ serial: OTHER });
    await expect(bench.sandbox.control.insert(other)).rejects.toThrow('start the reader with two places');
    await bench.sandbox.control.pull();
    expect(await openscReaders(bench)).toHaveLength(1);
    await bench.sandbox.control.insert(other);
    expect(await ykmanList(bench)).toEqual([expect.stringContaining(`Serial: ${OTHER}`)]);
  });

  it('is two for two keys', async () => {
    const two = await openWorkbench([{ serial: SERIAL }, { serial: OTHER }]);
    try {
      expect(await openscReaders(two)).toHaveLength(2);
      expect(await pkcs11Slots(two)).toBe(2);
      expect(await ykmanList(two)).toHaveLength(2);
      await two.sandbox.control.pull(OTHER);
      expect(await ykmanList(two)).toEqual([expect.stringContaining(`Serial: ${SERIAL}`)]);
    } finally {
      await two.close();
    }
  });
});

describe('APDUs too short to be one', () => {
  let bench: Workbench;
  beforeAll(async () => {
    bench = await openWorkbench();
  });
  afterAll(() => bench.close());

  const send = async (...apdus: string[]): Promise<string[]> => {
    const running = bench.sandbox.run(['/usr/bin/python3', '-c', SEND_APDUS], { input: apdus.join('\n') });
    const { code, stdout, stderr } = await running;
    expect(code, stderr).toBe(0);
    return stdout.trim().split('\n');
  };
  const SELECT = '00a4040005a000000308';

  it('are answered 6700, and the session goes on', async () => {
    const short = ['03', '05', '7f', 'ff', '0000', '00a4', '00fd00', 'ffffff'];
    const version = '00fd000000';
    const answers = await send(SELECT, ...short, version);
    expect(answers.slice(1)).toEqual([...short.map(() => '6700'), '0504039000']);
    expect((await bench.sandbox.control.show()).keys).toHaveLength(1);
  });

  it.each(['00', '01', '02'])(
    'also %s, which to vpcd is a power message: it costs the session, not the key',
    async (byte) => {
      expect(await send(SELECT, byte, '00fd000000')).toEqual([expect.stringMatching(/9000$/), '6700', '6d00']);
      expect(await send(SELECT, '00fd000000')).toEqual([expect.stringMatching(/9000$/), '0504039000']);
      expect((await bench.sandbox.control.show()).keys).toHaveLength(1);
    },
  );

  it('also 04, which vpcd answers with the name of the card', async () => {
    expect((await send(SELECT, '04', '00fd000000')).slice(2)).toEqual(['0504039000']);
  });
});
