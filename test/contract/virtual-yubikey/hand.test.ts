import { writeFileSync } from 'node:fs';
import { afterEach, beforeAll, afterAll, describe, expect, it } from 'vitest';
import { fails, openWorkbench, PIN, SERIAL, succeeds, type Outcome, type Workbench } from './workbench.ts';

const TOUCH_TIMEOUT_MS = 600;
const OTHER = 87654321;

describe('a key held in hand: touch, pull, faults, restart', () => {
  let bench: Workbench;
  let keyFile: string;
  const sign = (id = '02'): Promise<Outcome> => {
    const files = ['-i', bench.file('message'), '-o', bench.file('signature')];
    return bench.pkcs11('--sign', '-m', 'ECDSA-SHA256', '--id', id, '--login', '--pin', PIN, ...files);
  };
  const generate = (slot: string, ...policies: string[]): Promise<string> =>
    succeeds(
      bench.pivTool('-a', 'generate', '-s', slot, '-A', 'ECCP256', ...policies, '-o', bench.file(`${slot}.pub`)),
    );
  const triesLeft = async (): Promise<number | undefined> => (await bench.sandbox.control.show()).keys[0]?.pinTriesLeft;

  beforeAll(async () => {
    bench = await openWorkbench([{ serial: SERIAL }], { touchTimeoutMs: TOUCH_TIMEOUT_MS, places: 2 });
    keyFile = bench.file(`${SERIAL}.json`);
    writeFileSync(bench.file('message'), 'a message to sign');
    await generate('9c', '--pin-policy=always', '--touch-policy=always');
    await generate('9a', '--pin-policy=once', '--touch-policy=cached');
  });
  afterEach(async () => {
    const { control } = bench.sandbox;
    await control.clearFaults();
    await control.touchMode('auto', 0, TOUCH_TIMEOUT_MS);
    const { keys } = await control.show();
    if (!keys.some((key) => key.serial === SERIAL)) await control.insert(keyFile);
  });
  afterAll(() => bench.close());

  it('waits for a touch, and signs when it comes', async () => {
    const { control } = bench.sandbox;
    await control.touchMode('manual', 0, 10_000);
    const signing = sign();
    expect(await control.untilBlinking()).toEqual([SERIAL]);
    expect(await control.touch()).toEqual([SERIAL]);
    await succeeds(signing);
  });

  it('takes a touch that comes a moment before it is wanted', async () => {
    await bench.sandbox.control.touchMode('manual');
    expect(await bench.sandbox.control.touch()).toEqual([]);
    await succeeds(sign());
  });

  it('gives up after the time-out when nobody touches, with the code of a missing login', async () => {
    await bench.sandbox.control.touchMode('never');
    const started = performance.now();
    expect(await fails(sign())).toContain('CKR_USER_NOT_LOGGED_IN');
    expect(performance.now() - started).toBeGreaterThan(TOUCH_TIMEOUT_MS);
  });

  it('caches a touch for slots with that policy, until the key loses power', async () => {
    const { control } = bench.sandbox;
    const certificate = bench.file('9a.pem');
    const testSignature = (times: number): Promise<Outcome> => {
      const actions = Array.from({ length: times }, () => ['-a', 'test-signature']).flat();
      return bench.pivTool('-a', 'verify-pin', '-P', PIN, ...actions, '-s', '9a', '-i', certificate);
    };
    await succeeds(bench.pivTool('-a', 'attest', '-s', '9a', '-o', certificate));
    await control.touchMode('manual', 0, 10_000);
    const three = testSignature(3);
    await control.untilBlinking();
    await control.touch();
    await succeeds(three);
    await control.pull();
    await control.insert(keyFile);
    await control.touchMode('never', 0, TOUCH_TIMEOUT_MS);
    await fails(testSignature(1));
  });

  it('fails the signature when the key is pulled while it waits for a touch, and works again after', async () => {
    const { control } = bench.sandbox;
    await control.touchMode('manual', 0, 10_000);
    const signing = sign();
    await control.untilBlinking();
    expect(await control.pull(SERIAL)).toEqual([SERIAL]);
    expect(await fails(signing)).toContain('CKR_DEVICE_ERROR');
    expect((await control.show()).keys).toEqual([]);
    await control.insert(keyFile);
    await control.touchMode('auto');
    await succeeds(sign());
  });

  it('pulls at a chosen command: before it is carried out, or after but before the answer', async () => {
    const { control } = bench.sandbox;
    await control.fault({ atApdu: 1, ins: 0x87, action: 'pull' });
    await fails(sign());
    await control.insert(keyFile);
    // The first VERIFY of this tool only asks for the tries left; the second carries the PIN.
    await control.fault({ atApdu: 2, ins: 0x20, action: 'pull', afterwards: true });
    await fails(bench.pivTool('-a', 'verify-pin', '-P', '999999'));
    await control.insert(keyFile);
    expect(await triesLeft()).toBe(2);
    await succeeds(bench.pivTool('-a', 'verify-pin', '-P', PIN));
  });

  it('answers a chosen status word once, or each time until cleared', async () => {
    const { control } = bench.sandbox;
    await control.fault({ atApdu: 2, ins: 0x20, action: 'status', status: 0x6983 });
    expect(await fails(bench.pivTool('-a', 'verify-pin', '-P', PIN))).toContain('blocked');
    await succeeds(bench.pivTool('-a', 'verify-pin', '-P', PIN));
    // Not once: pkcs11-tool tries a failed signature a second time in another way.
    await control.fault({ atApdu: 1, ins: 0x87, action: 'status', status: 0x6f00, once: false });
    await fails(sign());
    await control.clearFaults();
    await succeeds(sign());
  });

  it('delays a chosen command', async () => {
    await bench.sandbox.control.fault({ atApdu: 1, ins: 0x87, action: 'delay', ms: 400 });
    const started = performance.now();
    await succeeds(sign());
    expect(performance.now() - started).toBeGreaterThan(400);
  });

  it('remembers keys, certificates and tries when the reader starts again', async () => {
    await succeeds(bench.pivTool('-a', 'attest', '-s', '9c', '-o', bench.file('att.pem')));
    await succeeds(bench.pivTool('-a', 'import-certificate', '-s', '9c', '-i', bench.file('att.pem')));
    await fails(bench.pivTool('-a', 'verify-pin', '-P', '999999'));
    const before = await succeeds(bench.pivTool('-a', 'status'));
    await bench.restart();
    expect(await succeeds(bench.pivTool('-a', 'status'))).toBe(before);
    expect(await triesLeft()).toBe(2);
    await succeeds(sign());
    expect(await triesLeft()).toBe(3);
  });

  it('shows two keys at once, each with its own PIN and serial; one can be pulled', async () => {
    const { control } = bench.sandbox;
    const other = bench.makeKey({ serial: OTHER });
    expect(await control.insert(other)).toBe(OTHER);
    const both = await succeeds(bench.pkcs11('-L'));
    expect(both).toContain(`YubiKey PIV #${SERIAL}`);
    expect(both).toContain(`YubiKey PIV #${OTHER}`);
    expect(await succeeds(bench.run('/usr/bin/ykman', 'list', '--serials'))).toMatch(/12345678[^]*87654321/);
    await fails(bench.run('/usr/bin/yubico-piv-tool', '-r', '00 01', '-a', 'verify-pin', '-P', '999999'));
    expect((await control.show()).keys.map((key) => key.pinTriesLeft)).toEqual([3, 2]);
    await expect(control.insert(other)).rejects.toThrow('inserted already');
    await control.pull(SERIAL);
    expect(await succeeds(bench.pkcs11('-L'))).not.toContain(`YubiKey PIV #${SERIAL}`);
    await control.pull(OTHER);
  });

  it('refuses commands that make no sense, with a reason', async () => {
    const { control } = bench.sandbox;
    await expect(control.pull(1)).rejects.toThrow('no key 1');
    await expect(control.insert(bench.file('missing.json'))).rejects.toThrow('ENOENT');
    await expect(control.fault({ atApdu: 0, action: 'pull' })).rejects.toThrow('atApdu');
    await expect(control.fault({ atApdu: 1, action: 'status' })).rejects.toThrow('needs status');
  });
});
