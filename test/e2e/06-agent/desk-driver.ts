// In a laptop's room, as a person: the window without its page. Prints each view; at the page for the PIN it enters the next one.
// argv: enroll | leave, PIN…; `cancel` in the place of a PIN cancels. Ends with the last view.
import path from 'node:path';

import { Desk } from '../../../src/apps/desktop/main/desk.ts';
import { startLender } from '../../../src/apps/desktop/main/start-lender.ts';
import type { View } from '../../../src/apps/desktop/view/view.ts';
import { findAgent } from '../../../src/local-api/agent-client.ts';
import { AGENT_SOCKET } from '../../../src/local-api/messages.ts';

const [, , act, ...pins] = process.argv;
const lender = path.join(import.meta.dirname, '../../../src/apps/key-lender/main.ts');

const desk = new Desk({
  findAgent: () => findAgent(AGENT_SOCKET),
  startLender: (shown, onSaid) => startLender([process.execPath, lender], shown, onSaid),
  saveFile: () => Promise.resolve(undefined),
  openPage: () => undefined,
  now: Date.now,
  show: (view: View) => {
    process.stdout.write(`${JSON.stringify(view)}\n`);
    if (view.page !== 'pin') return;
    const pin = pins.shift();
    // After this view has been taken in, as a person would.
    setImmediate(() => {
      if (pin === undefined || pin === 'cancel') desk.cancel();
      else desk.enterPin(pin);
    });
  },
});

if (act === 'enroll') await desk.enroll();
else if (act === 'leave') await desk.leave();
await desk.refresh();
