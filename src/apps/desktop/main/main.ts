import path from 'node:path';

import { app, clipboard, ipcMain, Menu, shell, type BrowserWindow } from 'electron';

import { findAgent } from '../../../local-api/agent-client.ts';
import { AGENT_SOCKET } from '../../../local-api/messages.ts';
import type { View } from '../view/view.ts';
import { closeEveryPage, closeSession, foreignSwitch, openWindow, PAGE } from './closed-window.ts';
import { Desk } from './desk.ts';
import { endUnlessShown, showFirstStart } from './first-start-window.ts';
import { callFunction, type Behind } from './functions.ts';
import { saveFile } from './save-file.ts';
import { registerProtocol, servePage } from './serve-page.ts';
import { startLender } from './start-lender.ts';

/** Replaced when it is bundled. */
declare const KIWISTACK_BUILD_KIND: 'production' | 'test';
/** Program and arguments of the key lender. */
declare const KIWISTACK_KEY_LENDER: readonly [string, ...string[]];

const isTest = KIWISTACK_BUILD_KIND === 'test';

/** A window in front of a person who is logged in, or at the first start of a laptop, where nobody is. */
function begin(firstStart: boolean): void {
  let view: View = firstStart ? { page: 'claim', claim: { state: 'working' } } : { page: 'looking' };
  let window: BrowserWindow | undefined;
  const show = (next: View): void => {
    view = next;
    window?.webContents.send('view', next);
  };
  const desk = new Desk({
    findAgent: () => findAgent(AGENT_SOCKET),
    startLender: (shown, onSaid) => startLender(KIWISTACK_KEY_LENDER, shown, onSaid),
    saveFile: async (name, text) => (window === undefined ? undefined : saveFile(window, name, text)),
    openPage: (url) => {
      // Without a browser there is nothing to show, and nothing to say that the person does not see.
      shell.openExternal(url).catch(() => undefined);
    },
    now: Date.now,
    show,
  });
  const copy = (text: string): void => {
    void clipboard.writeText(text);
  };
  const toLogin = (): void => {
    app.quit();
  };
  const behind: Behind = firstStart ? { toLogin } : { desk, copy };

  closeEveryPage();
  registerProtocol();
  Menu.setApplicationMenu(null);

  ipcMain.handle('call', (event, name: unknown, args: unknown) => {
    // Only the page itself, not a frame in it or anything that was put in its place.
    const { senderFrame } = event;
    const isOurs = senderFrame !== null && senderFrame === window?.webContents.mainFrame && senderFrame.url === PAGE;
    if (!isOurs) return undefined;
    if (name === 'view') return view;
    callFunction(behind, name, args);
    return undefined;
  });

  void app.whenReady().then(async () => {
    closeSession();
    servePage(path.join(__dirname, 'page'));
    window = openWindow(path.join(__dirname, 'preload.js'), firstStart);
    if (firstStart) endUnlessShown(window);
    window.once('ready-to-show', () => {
      window?.show();
    });
    window.on('closed', () => {
      desk.cancel();
      window = undefined;
    });
    await window.loadURL(PAGE);
    if (firstStart) await showFirstStart(show);
    else await desk.refresh();
  });
  app.on('second-instance', () => {
    if (window?.isMinimized() === true) window.restore();
    window?.focus();
  });
  app.on('window-all-closed', () => {
    app.quit();
  });
}

const foreign = foreignSwitch();
if (!isTest && foreign !== undefined) {
  process.stderr.write(`--${foreign} is not for this program\n`);
  app.exit(2);
} else if (app.requestSingleInstanceLock()) begin(app.commandLine.hasSwitch('first-boot'));
// One window a session: two would ask for the same key.
else app.quit();
