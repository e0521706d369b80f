import { once } from 'node:events';
import { appendFile, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { AGENT_SOCKET } from '../../../src/local-api/messages.ts';
import { Lab, type Laptop } from '../../lab/lab.ts';
import { addPeople, as } from '../../world/agent-room.ts';
import { buildWindow, Desktop, type OpenWindow } from './desktop.ts';

// A renderer that was taken over whole: beside the window's preload it has everything that a preload may call. What holds then is the
// process's sandbox, and what the main process does with its messages.
const RAW = `;{ const { contextBridge, ipcRenderer } = require('electron');
  contextBridge.exposeInMainWorld('raw', {
    invoke: (...args) => ipcRenderer.invoke(...args), send: (...args) => ipcRenderer.send(...args),
    sendToHost: (...args) => ipcRenderer.sendToHost(...args),
  });
  contextBridge.exposeInMainWorld('preload', { process: Object.keys(process).join(), fs: (() => { try { return typeof require('fs').readFileSync; } catch { return 'refused'; } })() });
}`;

let dir: string;
let lab: Lab;
let laptop: Laptop;
let desktop: Desktop;
let window: OpenWindow;
let app: string;

beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'kiwi-taken-'));
  app = buildWindow();
  await appendFile(path.join(app, 'preload.js'), RAW);
  lab = await Lab.create({ dir });
  laptop = await lab.addLaptop({ name: 'ada' });
  await addPeople(laptop);
  desktop = await Desktop.start(laptop, 'ada', dir);
  window = await desktop.open();
  await window.app.evaluate(() => {
    const faults: string[] = [];
    Object.assign(globalThis, { faults });
    process.on('uncaughtException', (error) => faults.push(error.message));
    process.on('unhandledRejection', (error) => faults.push(String(error)));
  });
});
afterAll(async () => {
  await lab.destroy();
  await rm(dir, { recursive: true, force: true });
});

const inPage = (script: string): Promise<unknown> => window.page.evaluate(`(async () => { ${script} })()`);
const clipboard = (): Promise<string> => window.app.evaluate(({ clipboard: board }) => board.readText());
const put = (text: string): Promise<void> =>
  window.app.evaluate(({ clipboard: board }, value) => {
    void board.writeText(value);
  }, text);
const faults = (): Promise<string[]> =>
  window.app.evaluate(() => (globalThis as unknown as { faults: string[] }).faults);

test('its process has no network, no rights and few system calls; what its preload can load reads no file', async () => {
  const pids = await window.app.evaluate(({ BrowserWindow }) => [
    process.pid,
    BrowserWindow.getAllWindows()[0]?.webContents.getOSProcessId() ?? 0,
  ]);
  const [main, renderer] = await Promise.all(
    pids.map(async (pid) => {
      const script = `cat /proc/$1/status; tr '\\0' ' ' </proc/$1/cmdline; echo; for n in user net pid; do readlink /proc/$1/ns/$n; done`;
      return (await laptop.run(['/bin/sh', '-c', script, 'sh', String(pid)])).stdout;
    }),
  );
  const of = (text: string | undefined, pattern: RegExp): string | undefined => pattern.exec(text ?? '')?.[1];
  expect(of(renderer, /^Seccomp:\s*(\d)$/mu)).toBe('2');
  expect(of(renderer, /^NoNewPrivs:\s*(\d)$/mu)).toBe('1');
  expect(of(renderer, /^CapEff:\s*(\w+)$/mu)).toMatch(/^0+$/u);
  for (const kind of ['user', 'net', 'pid']) {
    const name = new RegExp(`^${kind}:\\[(\\d+)\\]$`, 'mu');
    expect(of(renderer, name), kind).not.toBe(of(main, name));
    expect(of(renderer, name), kind).toMatch(/^\d+$/u);
  }
  expect(of(main, /^Uid:\s*(\d+)/mu)).toBe('2000');
  expect(`${String(main)}${String(renderer)}`).not.toContain('no-sandbox');
  expect(await inPage(`return preload.fs`)).toBe('refused');
});

test.each([
  ['a channel that there is not', `raw.invoke('exec', '/bin/sh')`],
  ['the channel of the views', `raw.invoke('view', { page: 'pin' })`],
  ['a channel of Electron’s own', `raw.invoke('GUEST_VIEW_MANAGER_CALL', 1, 'loadURL', ['file:///'])`],
  ['a method of an old remote', `raw.invoke('ELECTRON_BROWSER_REQUIRE', 'fs')`],
])('%s is refused', async (_, call) => {
  expect(await inPage(`return ${call}.then(() => 'answered', () => 'refused')`)).toBe('refused');
});

test('what is sent without waiting for an answer does nothing', async () => {
  await put('mine');
  await inPage(`raw.send('call', 'copy', ['theirs']); raw.sendToHost('call', 'copy', ['theirs']);`);
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(await clipboard()).toBe('mine');
});

const LONG = `'x'.repeat(5_000_000)`;
test.each([
  ...['constructor', '__proto__', 'toString', 'hasOwnProperty', 'desk', 'findAgent', 'show', '#alone', ''].map(
    (name) => [`the name ${name}`, `raw.invoke('call', ${JSON.stringify(name)}, [])`],
  ),
  ['a name that is a list', `raw.invoke('call', ['copy'], ['theirs'])`],
  ['a name that is an object', `raw.invoke('call', { toString: 'copy' }, ['theirs'])`],
  ['no name', `raw.invoke('call')`],
  ['arguments that are a text', `raw.invoke('call', 'copy', 'theirs')`],
  ['arguments that are none', `raw.invoke('call', 'copy')`],
  ['too many arguments', `raw.invoke('call', 'copy', ['theirs', 'theirs'])`],
  ['a text that is too long', `raw.invoke('call', 'copy', [${LONG}])`],
  ['a text that is a number', `raw.invoke('call', 'copy', [7])`],
  ['a text that is an object', `raw.invoke('call', 'copy', [{ text: 'theirs' }])`],
  [
    'arguments with a prototype',
    `raw.invoke('call', 'copy', JSON.parse('{"__proto__": {"0": "theirs"}, "length": 1}'))`,
  ],
  ['a PIN that is too long', `raw.invoke('call', 'enterPin', ['1'.repeat(65)])`],
  ['a PIN that is empty', `raw.invoke('call', 'enterPin', [''])`],
  ['a PIN that is bytes', `raw.invoke('call', 'enterPin', [new Uint8Array([49, 50])])`],
  ['a PIN that nobody asked for', `raw.invoke('call', 'enterPin', ['123456'])`],
  ...['-1', '0', '1.5', 'NaN', 'Infinity', '2 ** 32', '"31000001"', 'null', '[31000001]', '10n ** 30n'].map(
    (serial) => [`the serial number ${serial}`, `raw.invoke('call', 'chooseKey', [${serial}])`],
  ),
  ['a serial number that nobody offered', `raw.invoke('call', 'chooseKey', [31000001])`],
  ['the way to the login screen, where somebody is logged in', `raw.invoke('call', 'toLogin', [])`],
  ['an enrollment with arguments', `raw.invoke('call', 'enroll', [{ gatewayUrl: 'https://attacker.example' }])`],
])('%s: nothing is done, and the main process goes on', async (_, call) => {
  await put('mine');
  const shown = await window.page.textContent('h1');
  await inPage(`await ${call}.catch(() => undefined)`);
  expect(await clipboard()).toBe('mine');
  expect(await window.page.textContent('h1')).toBe(shown);
  expect(await faults()).toEqual([]);
});

test('the same calls with right arguments are carried out: the witness can tell', async () => {
  await put('mine');
  await inPage(`await raw.invoke('call', 'copy', ['theirs'])`);
  expect(await clipboard()).toBe('theirs');
});

test('another window with the same page, and a frame in the page, are not listened to', async () => {
  await put('mine');
  const preload = path.join(app, 'preload.js');
  const answers = await window.app.evaluate(async ({ BrowserWindow }, file) => {
    const other = new BrowserWindow({
      show: false,
      webPreferences: { preload: file, sandbox: true, contextIsolation: true },
    });
    await other.loadURL('kiwi://app/index.html');
    const said: unknown = await other.webContents.executeJavaScript(
      `Promise.all([raw.invoke('call', 'copy', ['theirs']), raw.invoke('call', 'view', [])]).then((all) => all.map((one) => typeof one))`,
    );
    other.destroy();
    return said;
  }, preload);
  expect(answers).toEqual(['undefined', 'undefined']);
  expect(await clipboard()).toBe('mine');
});

test('a page that says to be at another address is not listened to', async () => {
  await put('mine');
  await inPage(`history.replaceState({}, '', '/other.html'); await raw.invoke('call', 'copy', ['theirs']);`);
  expect(await clipboard()).toBe('mine');
  await inPage(`history.replaceState({}, '', '/index.html'); await raw.invoke('call', 'copy', ['theirs']);`);
  expect(await clipboard()).toBe('theirs');
});

test.each([
  'kiwi://app/../main.js',
  'kiwi://app/%2e%2e/main.js',
  'kiwi://app/..%2fmain.js',
  'kiwi://app/..%5cmain.js',
  'kiwi://app/index.html/../../main.js',
  'kiwi://app//etc/passwd',
  'kiwi://app/%00index.html',
  'kiwi://app/toString',
  'kiwi://app/__proto__',
  'kiwi://app/constructor',
  'kiwi://app/',
  'kiwi://other/index.html',
  'kiwi://app.example/index.html',
])('the window’s protocol has no %s', async (url) => {
  const status = await window.app.evaluate(
    ({ net }, address) =>
      net.fetch(address, { bypassCustomProtocolHandlers: false }).then(
        ({ status: code }) => code,
        () => 0,
      ),
    url,
  );
  expect([0, 404]).toContain(status);
});

test('the window’s protocol has its page, and takes nothing', async () => {
  const [read, written] = await window.app.evaluate(({ net }) =>
    Promise.all(['GET', 'POST'].map(async (method) => (await net.fetch('kiwi://app/index.html', { method })).status)),
  );
  expect([read, written]).toEqual([200, 404]);
});

test('a file that is dropped on it does not open', async () => {
  const session = await window.page.context().newCDPSession(window.page);
  const data = { items: [], files: ['/etc/passwd'], dragOperationsMask: 1 };
  for (const type of ['dragEnter', 'dragOver', 'drop'] as const) {
    await session.send('Input.dispatchDragEvent', { type, x: 200, y: 200, data });
  }
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(window.page.url()).toBe('kiwi://app/index.html');
  expect(await window.page.locator('h1').count()).toBe(1);
});

test('no developer tools open, by keys or by call', async () => {
  for (const keys of ['F12', 'Control+Shift+I', 'Control+Shift+J', 'Control+R', 'Control+P'])
    await window.page.keyboard.press(keys);
  const opened = await window.app.evaluate(async ({ BrowserWindow }) => {
    const [contents] = BrowserWindow.getAllWindows().map(({ webContents }) => webContents);
    contents?.openDevTools();
    await new Promise((resolve) => setTimeout(resolve, 500));
    return contents?.isDevToolsOpened();
  });
  expect(opened).toBe(false);
});

test('where the agent’s socket belongs to a person, nobody speaks to it, and no PIN is asked for', async () => {
  const folder = path.dirname(AGENT_SOCKET);
  await mkdir(laptop.path(folder), { recursive: true });
  await laptop.run(['/bin/chown', '2001', folder]);
  const listens = `import socket
s = socket.socket(socket.AF_UNIX); s.bind('${AGENT_SOCKET}'); s.listen()
print('{"type":"ready"}', flush=True); s.accept(); print('spoken to', flush=True)`;
  const fake = laptop.spawn([...as('bob'), '/usr/bin/python3', '-c', listens]);
  let said = '';
  fake.stdout?.on('data', (chunk: Buffer) => (said += chunk.toString()));
  await expect.poll(() => said).toContain('ready');
  await inPage(`kiwi.refresh()`);
  await expect.poll(() => window.page.textContent('main')).toContain('does not belong to the system');
  await inPage(`kiwi.enroll()`);
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(await window.page.textContent('main')).toContain('does not belong to the system');
  expect(await window.page.locator('input').count()).toBe(0);
  expect(said).not.toContain('spoken to');
  fake.kill('SIGKILL');
});

test('the window that ships lets no other program drive it', async () => {
  await window.app.close();
  buildWindow('production');
  for (const args of [
    ['--remote-debugging-port=0'],
    ['--inspect=0'],
    ['--no-sandbox'],
    ['--disable-web-security'],
    ['--js-flags=--expose-gc'],
  ]) {
    const child = desktop.spawn(args);
    let said = '';
    child.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const [code] = (await once(child, 'exit')) as [number | null];
    expect([code, said], args.join()).toEqual([2, expect.stringContaining('is not for this program')]);
  }
  const child = desktop.spawn();
  await new Promise((resolve) => setTimeout(resolve, 4000));
  expect(child.exitCode).toBe(null);
  child.kill('SIGTERM');
  await once(child, 'exit');
});
