import { expect, vi } from 'vitest';

import { PIN } from '../../world/world.ts';
import { expectNothingLeft, processesLeft, traces, type Customer, type Seat } from './customer.ts';
import { story } from './step.ts';
import { Terminal } from './terminal.ts';

const PIN_PROMPT = /PIN of YubiKey \d+ \([^)]*\): $/u;

/** What a person sees and types. */
export function atATerminal(getCustomer: () => Customer): void {
  story('a person at a terminal', getCustomer, (step, seat) => {
    let customer: Customer;
    let bob: Seat;

    /** Those that an operator sees waiting, as the laptop shows them. */
    const sessionCodes = async (): Promise<unknown[]> => {
      const { stdout } = await customer.world.operator(['session', 'list', '--dir', customer.world.sliceDir, '--json']);
      const rows = (JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as { list: Record<string, unknown>[] }).list;
      return rows.filter((row) => row['state'] === 'waiting').map((row) => row['code']);
    };

    const enroll = (): Terminal => new Terminal(bob.laptop, ['enroll', '--wait', '10']);

    /** A key that was left blinking goes on for 15 seconds: pulled and put in again, it has forgotten. */
    const stopBlinking = async (): Promise<void> => {
      await bob.reader.control.pull();
      await bob.reader.control.insert(customer.world.keyFile(bob.serial));
    };

    step('Ctrl-C at the PIN prompt: all is undone, and the terminal echoes again', async () => {
      customer = getCustomer();
      bob = await seat('bob', { touch: { mode: 'manual' } });
      const terminal = enroll();
      await terminal.until(PIN_PROMPT);
      terminal.type('12');
      terminal.ctrlC();
      expect(await terminal.exitCode(), terminal.screen).toBe(130);
      expect(terminal.restored, terminal.screen).toBe(true);
      expect(terminal.screen).toContain('[cancelled]');
      await expectNothingLeft(customer, bob);
      // The slice was told: an operator does not see it waiting for five minutes.
      const code = /session code:? +(\d{3} ?\d{3})/iu.exec(terminal.screen)?.[1]?.replace(' ', '') ?? 'none shown';
      expect(await sessionCodes(), terminal.screen).not.toContain(code);
    });

    step('nothing entered', async () => {
      const terminal = enroll();
      await terminal.until(PIN_PROMPT);
      terminal.type('\r');
      expect(await terminal.exitCode(), terminal.screen).toBe(3);
      expect(terminal.screen).toContain('[pin-cancelled]');
      expect(terminal.restored, terminal.screen).toBe(true);
      await expectNothingLeft(customer, bob);
    });

    step(
      'a wrong PIN is asked for again with the tries left, and the last try is not used without a question',
      async () => {
        const terminal = enroll();
        await terminal.until(PIN_PROMPT);
        terminal.type('654321\r');
        await terminal.until(/The PIN is wrong\.\s+PIN of YubiKey \d+ \(2 tries left\): $/u);
        terminal.type(`${PIN} \r`);
        await terminal.until(/\(it ends with a blank or a line end\)\s+PIN of YubiKey \d+ \(2 tries left\): $/u);
        terminal.type('654321\r');
        await terminal.until(/This is the last try: .* Enter the PIN now\? \[y\/N\] $/u);
        terminal.type('\r');
        expect(await terminal.exitCode(), terminal.screen).toBe(3);
        expect(terminal.screen).toContain('[pin-cancelled]');
        expect(terminal.screen).toContain('the last try was not used');
        expect(terminal.screen).not.toContain('654321');
        expect(terminal.restored, terminal.screen).toBe(true);
        await expectNothingLeft(customer, bob);
      },
    );

    step('the last try, after a "y" to the question', async () => {
      const terminal = enroll();
      await terminal.until(/This is the last try: .* Enter the PIN now\? \[y\/N\] $/u);
      terminal.type('y\r');
      await terminal.until(/PIN of YubiKey \d+ \(1 try left\): $/u);
      terminal.type(`${PIN}\r`);
      await terminal.until(/TOUCH your YubiKey now/u);
      await bob.reader.control.untilBlinking();
      terminal.ctrlC();
      expect(await terminal.exitCode(), terminal.screen).toBe(130);
      const { keys } = await bob.reader.control.show();
      expect(keys[0]?.pinTriesLeft, 'the right PIN sets the count back').toBe(3);
      await stopBlinking();
    });

    step('a descriptor that was not passed on is refused at once', async () => {
      for (const fd of ['3', '5', '7']) {
        const terminal = new Terminal(bob.laptop, ['enroll', '--pin-fd', fd]);
        expect(await terminal.exitCode(), terminal.screen).toBe(2);
        expect(terminal.screen).toMatch(new RegExp(`\\[usage\\]\\s+details: --pin-fd ${fd}: this descriptor`, 'u'));
      }
      await expectNothingLeft(customer, bob);
    });

    step('Ctrl-C while the key waits for a touch', async () => {
      const terminal = enroll();
      await terminal.until(PIN_PROMPT);
      terminal.type(`${PIN}\r`);
      await terminal.until(/TOUCH your YubiKey now/u);
      await bob.reader.control.untilBlinking();
      terminal.ctrlC();
      expect(await terminal.exitCode(), terminal.screen).toBe(130);
      expect(terminal.restored, terminal.screen).toBe(true);
      await expectNothingLeft(customer, bob);
    });

    step('the window is closed while the key waits for a touch', async () => {
      await stopBlinking();
      const terminal = enroll();
      await terminal.until(PIN_PROMPT);
      terminal.type(`${PIN}\r`);
      await terminal.until(/TOUCH your YubiKey now/u);
      terminal.close();
      await terminal.ended;
      // It ends by itself, with nobody who could wait for it.
      const left = async (): Promise<string[]> => [...(await traces(bob)), ...(await processesLeft(bob))];
      await vi.waitFor(async () => expect(await left()).toEqual([]), { timeout: 60_000, interval: 200 });
      await expectNothingLeft(customer, bob);
    });

    step('PIN and touch, and a last line that says what works', async () => {
      await stopBlinking();
      const terminal = enroll();
      await terminal.until(PIN_PROMPT);
      // Mistyped characters are deleted: the line by Ctrl-U, the word by Ctrl-W, one by Backspace.
      terminal.type(`99\u0015999\u00179\u007f${PIN}\r`);
      await terminal.until(/TOUCH your YubiKey now/u);
      await bob.reader.control.untilBlinking();
      await bob.reader.control.touch();
      await terminal.until(/Touched\. Nothing more is needed from you\./u);
      expect(await terminal.exitCode(), terminal.screen).toBe(0);
      const shown = terminal.screen.slice(0, terminal.screen.indexOf('exit code')).trim().split(/\r?\n/u);
      expect(shown.at(-2)).toMatch(/^bob is enrolled with Acme GmbH and online in Fleet \(\d+\.\d s\)\.$/u);
      expect(shown.at(-1)).toMatch(/^The tunnel is up/u);
      expect(terminal.screen).toMatch(/Verified: Acme GmbH, \S+\. Session code: \d{3} \d{3}/u);
      const order = ['Verified: Acme GmbH', 'PIN of YubiKey', 'TOUCH your', 'Touched.', 'Bring up the tunnel'];
      expect(order.map((text) => terminal.screen.indexOf(text))).toEqual(
        order.map((text) => terminal.screen.indexOf(text)).sort((a, b) => a - b),
      );
      expect(terminal.screen).not.toContain(PIN);
      expect(terminal.restored, terminal.screen).toBe(true);
    });

    step('a second enroll answers in one line', async () => {
      const terminal = enroll();
      expect(await terminal.exitCode()).toBe(0);
      expect(terminal.screen).toContain('This laptop is already enrolled (bob with Acme GmbH).');
    });

    step('uninstall says what it undoes', async () => {
      const terminal = new Terminal(bob.laptop, ['uninstall']);
      expect(await terminal.exitCode(), terminal.screen).toBe(0);
      expect(terminal.screen).toContain(
        'This laptop is no longer enrolled with Acme GmbH. Nothing of the enrollment is left on it.',
      );
      await expectNothingLeft(customer, bob);
    });
  });
}
