import { app, BrowserWindow, session, type WebContents } from 'electron';

/** The page's own protocol: nothing in the window comes from a network or a disk folder that others write. */
export const ORIGIN = 'kiwi://app';
export const PAGE = `${ORIGIN}/index.html`;

/** Closes every way out of a page: other pages, windows, permissions, downloads, embedded pages, the network. */
export function closeEveryPage(): void {
  app.on('web-contents-created', (_event, contents) => {
    closePage(contents);
  });
}

/** To be called when the application is ready. */
export function closeSession(): void {
  const { defaultSession } = session;
  defaultSession.setPermissionRequestHandler((_contents, _permission, answer) => {
    answer(false);
  });
  defaultSession.setPermissionCheckHandler(() => false);
  defaultSession.setDevicePermissionHandler(() => false);
  defaultSession.on('will-download', (event) => {
    event.preventDefault();
  });
  defaultSession.webRequest.onBeforeRequest(({ url }, answer) => {
    answer({ cancel: !url.startsWith(`${ORIGIN}/`) });
  });
}

function closePage(contents: WebContents): void {
  contents.setWindowOpenHandler(() => ({ action: 'deny' }));
  const refuse = (event: { preventDefault(): void }): void => {
    event.preventDefault();
  };
  contents.on('will-navigate', refuse);
  contents.on('will-redirect', refuse);
  contents.on('will-attach-webview', refuse);
}

export function openWindow(preload: string, devTools: boolean): BrowserWindow {
  const window = new BrowserWindow({
    ...{ width: 760, height: 680, minWidth: 360, minHeight: 480, show: false, autoHideMenuBar: true },
    ...{ title: 'KiwiStack', backgroundColor: '#f6f7f4' },
    webPreferences: {
      preload,
      sandbox: true,
      contextIsolation: true,
      nodeIntegration: false,
      nodeIntegrationInSubFrames: false,
      nodeIntegrationInWorker: false,
      webviewTag: false,
      webSecurity: true,
      allowRunningInsecureContent: false,
      navigateOnDragDrop: false,
      spellcheck: false,
      devTools,
    },
  });
  window.removeMenu();
  return window;
}
