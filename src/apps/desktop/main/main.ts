import path from 'node:path';

import { app, clipboard, ipcMain, Menu, shell, type BrowserWindow } from 'electron';

import { findAgent } from '../../../local-api/agent-client.ts';
import { AGENT_SOCKET } from '../../../local-api/messages.ts';
import type { View } from '../view/view.ts';
import { closeEveryPage, closeSession, foreignSwitch, openWindow, PAGE } from './closed-window.ts';
import { Desk } from './desk.ts';
import { callFunction } from './functions.ts';
import { saveFile } from './save-file.ts';
import { registerProtocol, servePage } from './serve-page.ts';
import { startLender } from './start-lender.ts';

/** Replaced when it is bundled. */
declare const KIWISTACK_BUILD_KIND: 'production' | 'test';
/** Program and arguments of the key lender. */
declare const KIWISTACK_KEY_LENDER: readonly [string, ...string[]];

const isTest = KIWISTACK_BUILD_KIND === 'test';

function begin(): void {
  let view: View = { page: 'looking' };
  let window: BrowserWindow | undefined;
  const desk = new Desk({
    findAgent: () => findAgent(AGENT_SOCKET),
    startLender: (shown, onSaid) => startLender(KIWISTACK_KEY_LENDER, shown, onSaid),
    saveFile: async (name, text) => (window === undefined ? undefined : saveFile(window, name, text)),
    openPage: (url) => {
      // Without a browser there is nothing to show, and nothing to say that the person does not see.
      shell.openExternal(url).catch(() => undefined);
    },
    now: Date.now,
    show: (next) => {
      view = next;
      window?.webContents.send('view', next);
    },
  });

  closeEveryPage();
  registerProtocol();
  Menu.setApplicationMenu(null);

  ipcMain.handle('call', (event, name: unknown, args: unknown) => {
    // Only the page itself, not a frame in it or anything that was put in its place.
    const { senderFrame } = event;
    const isOurs = senderFrame !== null && senderFrame === window?.webContents.mainFrame && senderFrame.url === PAGE;
    if (!isOurs) return undefined;
    if (name === 'view') return view;
    callFunction(
      {
        desk,
        copy: (text) => {
          void clipboard.writeText(text);
        },
      },
      name,
      args,
    );
    return undefined;
  });

  void app.whenReady().then(async () => {
    closeSession();
    servePage(path.join(__dirname, 'page'));
    window = openWindow(path.join(__dirname, 'preload.js'));
    window.once('ready-to-show', () => {
      window?.show();
    });
    window.on('closed', () => {
      desk.cancel();
      window = undefined;
    });
    await window.loadURL(PAGE);
    await desk.refresh();
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
} else if (app.requestSingleInstanceLock()) begin();
// One window a session: two would ask for the same key.
else app.quit();
