import { app, BrowserWindow, screen, session, type WebContents } from 'electron';

/** The page's own protocol: nothing in the window comes from a network or a disk folder that others write. */
export const ORIGIN = 'kiwi://app';
export const PAGE = `${ORIGIN}/index.html`;

/** What lets another program drive the window, or takes its walls down. A person has no use for any of it. */
const FOREIGN_SWITCHES = [
  ...[
    'remote-debugging-port',
    'remote-debugging-pipe',
    'remote-debugging-address',
    'inspect',
    'inspect-brk',
    'js-flags',
  ],
  ...['no-sandbox', 'disable-web-security', 'disable-site-isolation-trials', 'disable-seccomp-filter-sandbox'],
  ...['load-extension', 'host-rules', 'renderer-cmd-prefix', 'gpu-launcher', 'utility-cmd-prefix', 'single-process'],
];

/** The first of them on the command line. */
export function foreignSwitch(): string | undefined {
  return FOREIGN_SWITCHES.find((name) => app.commandLine.hasSwitch(name));
}

/** Closes every way out of a page: other pages, windows, permissions, downloads, embedded pages, the network. To be called at the start. */
export function closeEveryPage(): void {
  app.enableSandbox();
  // There is nothing to look up, so that not even a name leaves this laptop.
  app.commandLine.appendSwitch('host-resolver-rules', 'MAP * ~NOTFOUND');
  app.commandLine.appendSwitch('dns-prefetch-disable');
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
  contents.on('will-frame-navigate', refuse);
  contents.on('will-attach-webview', refuse);
  // WebRTC asks no policy of the page, and is not seen by webRequest.
  contents.setWebRTCIPHandlingPolicy('disable_non_proxied_udp');
}

/** @param whole it has the whole screen: there is nothing else on it */
export function openWindow(preload: string, whole = false): BrowserWindow {
  const window = new BrowserWindow({
    ...{ width: 760, height: 680, minWidth: 360, minHeight: 480, show: false, autoHideMenuBar: true },
    ...{ title: 'KiwiStack', backgroundColor: '#f6f7f4' },
    // Its size too: there need be nobody who makes a window as large as the screen.
    ...(whole ? { kiosk: true, frame: false, ...screen.getPrimaryDisplay().bounds } : {}),
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
      devTools: false,
    },
  });
  window.removeMenu();
  return window;
}
