import { app, type BrowserWindow } from 'electron';

import { readClaimStand } from '../../../local-api/claim-stand.ts';
import type { View } from '../view/view.ts';
import { lookAtClaim, watching, type Watching } from './first-start.ts';

const LOOK_MS = 1000;
/** As long as a slow laptop may need for its first picture. */
const SHOWN_MS = 60_000;

/** Shows how the claim of this laptop stands until it is over, and ends the program then: the login screen waits for that. */
export async function showFirstStart(show: (view: View) => void): Promise<void> {
  const parts = { read: () => readClaimStand(), show, now: Date.now, monotonic: () => performance.now() };
  let state: Watching | 'over' = watching(parts.monotonic());
  for (;;) {
    state = await lookAtClaim(state, parts);
    if (state === 'over') break;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  app.quit();
}

/** A window that shows nothing would keep the login screen away: then the program ends at once. */
export function endUnlessShown(window: BrowserWindow): void {
  const end = (): void => {
    app.exit(1);
  };
  const timer = setTimeout(end, SHOWN_MS);
  window.once('ready-to-show', () => {
    clearTimeout(timer);
  });
  window.on('unresponsive', end);
  window.webContents.on('render-process-gone', (_event, { reason }) => {
    if (reason !== 'clean-exit') end();
  });
  window.webContents.on('did-fail-load', end);
}
