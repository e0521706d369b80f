/**
 * What a page that somebody has taken over would try, as scripts that run in it as its own code. `OUT` is a server that listens on this
 * machine, `UDP` a port of it. Each ends with what came of it; `expected` is that, and nothing may have reached the server, no page and no
 * window may have come.
 */
export interface Attack {
  readonly name: string;
  readonly script: string;
  readonly expected: unknown;
}

/** Waits for the event that says that a thing came, or that it did not. */
const outcome = (make: string): string =>
  `const element = ${make}; const came = new Promise((resolve) => {
     element.onload = () => resolve('loaded'); element.onerror = () => resolve('refused'); setTimeout(() => resolve('nothing'), 400); });
   document.body.append(element); const what = await came; element.remove(); return what === 'nothing' ? 'refused' : what;`;
const element = (tag: string, properties: string): string =>
  outcome(`Object.assign(document.createElement('${tag}'), ${properties})`);
/** What it threw, by its name; what it did otherwise. */
const thrown = (code: string): string => `try { ${code}; return 'done'; } catch (error) { return error.name; }`;
const settled = (promise: string): string =>
  `return Promise.race([Promise.resolve().then(() => ${promise}).then(() => 'done', () => 'refused'), new Promise((end) => setTimeout(() => end('refused'), 1500))]);`;

const NODE: Attack[] = [
  {
    name: 'Node and Electron by name',
    script: `return ['require', 'process', 'module', 'Buffer', 'global', '__dirname', 'setImmediate', 'ipcRenderer', 'electron'].filter((name) => name in globalThis);`,
    expected: [],
  },
  {
    name: 'the functions of the bridge are these, and no other',
    script: `return Object.keys(kiwi).sort().join();`,
    expected:
      'cancel,chooseKey,copy,enroll,enterPin,languages,leave,onView,openLink,refresh,renew,repair,report,saveReport,sendReport,toLogin,tunnelByApp,tunnelByDaemon',
  },
  {
    name: 'the constructor of a function of the bridge',
    script: thrown(`kiwi.enroll.constructor('return process')()`),
    expected: 'EvalError',
  },
  {
    name: 'the constructor of what the bridge calls back with',
    script: `const view = await new Promise((resolve) => kiwi.onView(resolve)); ${thrown(`view.constructor.constructor('return process')()`)}`,
    expected: 'EvalError',
  },
  { name: 'eval', script: thrown(`(0, eval)('1')`), expected: 'EvalError' },
  { name: 'new Function', script: thrown(`new Function('return 1')()`), expected: 'EvalError' },
  {
    name: 'a timer with a text',
    script: `globalThis.ran = 0; try { setTimeout('globalThis.ran = 1', 0); } catch {} await new Promise((end) => setTimeout(end, 100)); return globalThis.ran;`,
    expected: 0,
  },
  {
    name: 'WebAssembly',
    script: settled(`WebAssembly.compile(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]))`),
    expected: 'refused',
  },
];

const INJECTED: Attack[] = [
  {
    name: 'HTML that brings its script along',
    script: thrown(`document.body.insertAdjacentHTML('beforeend', '<img src=x onerror="globalThis.ran = 2">')`),
    expected: 'TypeError',
  },
  { name: 'innerHTML', script: thrown(`document.createElement('div').innerHTML = '<b>x</b>'`), expected: 'TypeError' },
  { name: 'document.write', script: thrown(`document.write('<script>1</script>')`), expected: 'TypeError' },
  {
    name: 'a policy that makes texts trusted',
    script: thrown(`trustedTypes.createPolicy('x', { createHTML: (text) => text })`),
    expected: 'TypeError',
  },
  {
    name: 'an inline script',
    script: `globalThis.ran = 0; const script = document.createElement('script'); try { script.append('globalThis.ran = 3'); document.body.append(script); } catch {} script.remove(); return globalThis.ran;`,
    expected: 0,
  },
  {
    name: 'an attribute that is a script',
    script: `globalThis.ran = 0; const button = document.createElement('button'); try { button.setAttribute('onclick', 'globalThis.ran = 4'); } catch {} document.body.append(button); button.click(); button.remove(); return globalThis.ran;`,
    expected: 0,
  },
  {
    name: 'an address that is a script',
    script: `globalThis.ran = 0; const link = document.createElement('a'); link.href = 'javascript:globalThis.ran=5'; document.body.append(link); link.click(); await new Promise((end) => setTimeout(end, 100)); link.remove(); return globalThis.ran;`,
    expected: 0,
  },
  {
    name: 'a script from elsewhere',
    script: thrown(`document.createElement('script').src = OUT + 'x.js'`),
    expected: 'TypeError',
  },
  {
    name: 'a style of its own',
    script: `const style = document.createElement('style'); style.append('body { background: url(' + OUT + 'style) }'); document.head.append(style); const rules = style.sheet?.cssRules.length ?? 0; style.remove(); return rules;`,
    expected: 0,
  },
  {
    name: 'another base for addresses',
    script: `const base = document.createElement('base'); base.href = OUT; document.head.append(base); const where = document.baseURI; base.remove(); return where;`,
    expected: 'kiwi://app/index.html',
  },
  {
    name: 'a worker of a blob',
    script: thrown(`new Worker(URL.createObjectURL(new Blob(['1'])))`),
    expected: 'TypeError',
  },
  { name: 'a worker of a data address', script: thrown(`new Worker('data:text/javascript,1')`), expected: 'TypeError' },
  { name: 'a service worker', script: settled(`navigator.serviceWorker.register('renderer.js')`), expected: 'refused' },
  {
    name: 'a module from a data address',
    script: settled(`import('data:text/javascript,globalThis.ran=6')`),
    expected: 'refused',
  },
];

const OUT: Attack[] = [
  { name: 'fetch', script: settled(`fetch(OUT + 'fetch')`), expected: 'refused' },
  {
    name: 'fetch without an answer',
    script: settled(`fetch(OUT + 'nocors', { mode: 'no-cors', keepalive: true })`),
    expected: 'refused',
  },
  {
    name: 'XMLHttpRequest',
    script: `return new Promise((resolve) => { const asked = new XMLHttpRequest(); asked.onload = () => resolve('loaded'); asked.onerror = () => resolve('refused'); asked.open('GET', OUT + 'xhr'); asked.send(); });`,
    expected: 'refused',
  },
  {
    name: 'WebSocket',
    script: `return new Promise((resolve) => { try { const socket = new WebSocket(OUT.replace('http', 'ws')); socket.onopen = () => resolve('open'); socket.onerror = () => resolve('refused'); } catch { resolve('refused'); } });`,
    expected: 'refused',
  },
  {
    name: 'EventSource',
    script: `return new Promise((resolve) => { const events = new EventSource(OUT + 'events'); events.onopen = () => resolve('open'); events.onerror = () => { events.close(); resolve('refused'); }; });`,
    expected: 'refused',
  },
  {
    name: 'a beacon',
    script: `try { navigator.sendBeacon(OUT + 'beacon', 'x'); } catch {} await new Promise((end) => setTimeout(end, 300)); return 'tried';`,
    expected: 'tried',
  },
  { name: 'a picture from elsewhere', script: element('img', `{ src: OUT + 'picture' }`), expected: 'refused' },
  {
    name: 'a picture of a name',
    script: element('img', `{ src: 'http://secret.attacker.example/x' }`),
    expected: 'refused',
  },
  {
    name: 'a sheet from elsewhere',
    script: element('link', `{ rel: 'stylesheet', href: OUT + 'sheet' }`),
    expected: 'refused',
  },
  {
    name: 'a hint to fetch early',
    script: element('link', `{ rel: 'prefetch', href: OUT + 'prefetch' }`),
    expected: 'refused',
  },
  { name: 'a hint to connect early', script: element('link', `{ rel: 'preconnect', href: OUT }`), expected: 'refused' },
  {
    name: 'a font from elsewhere',
    script: settled(`new FontFace('x', 'url(' + OUT + 'font)').load()`),
    expected: 'refused',
  },
  {
    name: 'a film from elsewhere',
    script: element('video', `{ src: OUT + 'film', autoplay: true }`),
    expected: 'refused',
  },
  {
    name: 'WebRTC',
    script: `try { const peer = new RTCPeerConnection({ iceServers: [{ urls: 'stun:127.0.0.1:' + UDP }] }); peer.createDataChannel('x'); await peer.setLocalDescription(await peer.createOffer()); await new Promise((end) => setTimeout(end, 800)); peer.close(); } catch {} return 'tried';`,
    expected: 'tried',
  },
  {
    name: 'WebTransport',
    script: settled(`new WebTransport(OUT.replace('http', 'https')).ready`),
    expected: 'refused',
  },
  {
    name: 'a form',
    script: `const form = Object.assign(document.createElement('form'), { action: OUT + 'form', method: 'post' }); document.body.append(form); form.submit(); await new Promise((end) => setTimeout(end, 300)); form.remove(); return location.href;`,
    expected: 'kiwi://app/index.html',
  },
];

const AWAY: Attack[] = [
  {
    name: 'another page',
    script: `location.href = OUT + 'page'; await new Promise((end) => setTimeout(end, 400)); return location.href;`,
    expected: 'kiwi://app/index.html',
  },
  {
    name: 'a file as the page',
    script: `try { location.href = 'file:///etc/passwd'; } catch {} await new Promise((end) => setTimeout(end, 400)); return location.href;`,
    expected: 'kiwi://app/index.html',
  },
  {
    name: 'a page made of data',
    script: `location.href = 'data:text/html,x'; await new Promise((end) => setTimeout(end, 400)); return location.href;`,
    expected: 'kiwi://app/index.html',
  },
  {
    name: 'a page that asks for another after a while',
    script: `const meta = document.createElement('meta'); meta.httpEquiv = 'refresh'; meta.content = '0;url=' + OUT; document.head.append(meta); await new Promise((end) => setTimeout(end, 400)); meta.remove(); return location.href;`,
    expected: 'kiwi://app/index.html',
  },
  {
    name: 'another window',
    script: `return window.open(OUT + 'window') === null ? 'refused' : 'open';`,
    expected: 'refused',
  },
  {
    name: 'another window of its own',
    script: `return window.open('kiwi://app/index.html') === null ? 'refused' : 'open';`,
    expected: 'refused',
  },
  {
    name: 'a link to another window',
    script: `const link = Object.assign(document.createElement('a'), { href: OUT + 'blank', target: '_blank' }); document.body.append(link); link.click(); await new Promise((end) => setTimeout(end, 300)); link.remove(); return 'tried';`,
    expected: 'tried',
  },
  {
    name: 'a program of the system by its address',
    script: `for (const scheme of ['mailto:', 'ssh://x', 'vnc://x', 'ms-settings:']) { const link = Object.assign(document.createElement('a'), { href: scheme }); document.body.append(link); link.click(); link.remove(); } await new Promise((end) => setTimeout(end, 300)); return location.href;`,
    expected: 'kiwi://app/index.html',
  },
  {
    name: 'a file as a picture',
    script: element('img', `{ src: 'file:///usr/share/icons/hicolor/index.theme' }`),
    expected: 'refused',
  },
  { name: 'a file by fetch', script: settled(`fetch('file:///etc/passwd')`), expected: 'refused' },
  {
    name: 'a frame of the window’s own page',
    script: `const frame = Object.assign(document.createElement('iframe'), { src: 'kiwi://app/index.html' }); document.body.append(frame); await new Promise((end) => setTimeout(end, 400)); let kiwi; try { kiwi = typeof frame.contentWindow.kiwi; } catch { kiwi = 'undefined'; } frame.remove(); return kiwi;`,
    expected: 'undefined',
  },
  {
    name: 'an empty frame has no bridge',
    script: `const frame = document.createElement('iframe'); document.body.append(frame); await new Promise((end) => setTimeout(end, 200)); let kiwi; try { kiwi = typeof frame.contentWindow.kiwi + typeof frame.contentWindow.require; } catch { kiwi = 'undefinedundefined'; } frame.remove(); return kiwi;`,
    expected: 'undefinedundefined',
  },
  {
    name: 'a webview',
    script: `const view = document.createElement('webview'); view.src = OUT + 'webview'; document.body.append(view); await new Promise((end) => setTimeout(end, 400)); const able = typeof view.executeJavaScript; view.remove(); return able;`,
    expected: 'undefined',
  },
  {
    name: 'an object',
    script: thrown(`document.createElement('object').data = OUT + 'object'`),
    expected: 'TypeError',
  },
];

const DEVICES: Attack[] = [
  {
    name: 'where the laptop is',
    script: `return new Promise((resolve) => { if (!navigator.geolocation) resolve('refused'); else navigator.geolocation.getCurrentPosition(() => resolve('done'), () => resolve('refused'), { timeout: 1000 }); });`,
    expected: 'refused',
  },
  {
    name: 'camera and microphone',
    script: settled(`navigator.mediaDevices.getUserMedia({ audio: true, video: true })`),
    expected: 'refused',
  },
  {
    name: 'the screen',
    script: settled(`navigator.mediaDevices.getDisplayMedia({ video: true })`),
    expected: 'refused',
  },
  { name: 'notices', script: `return (await Notification.requestPermission());`, expected: 'denied' },
  ...['usb', 'hid', 'serial', 'bluetooth'].map((bus) => ({
    name: `devices by ${bus}`,
    script: settled(
      `navigator.${bus}.${bus === 'serial' ? 'requestPort' : 'requestDevice'}({ filters: [], acceptAllDevices: true })`,
    ),
    expected: 'refused',
  })),
  { name: 'MIDI', script: settled(`navigator.requestMIDIAccess({ sysex: true })`), expected: 'refused' },
  { name: 'the whole screen', script: settled(`document.body.requestFullscreen()`), expected: 'refused' },
  { name: 'the pointer', script: settled(`document.body.requestPointerLock()`), expected: 'refused' },
  { name: 'what was copied elsewhere', script: settled(`navigator.clipboard.readText()`), expected: 'refused' },
  {
    name: 'what was copied elsewhere, the old way',
    script: `const area = document.createElement('textarea'); document.body.append(area); area.focus(); document.execCommand('paste'); const got = area.value; area.remove(); return got;`,
    expected: '',
  },
  {
    name: 'what others have typed, by a security key',
    script: settled(`navigator.credentials.get({ publicKey: { challenge: new Uint8Array(8), timeout: 500 } })`),
    expected: 'refused',
  },
  { name: 'a file of the person', script: settled(`showOpenFilePicker()`), expected: 'refused' },
  {
    name: 'a download',
    script: `const link = Object.assign(document.createElement('a'), { href: URL.createObjectURL(new Blob(['x'])), download: 'stolen.txt' }); document.body.append(link); link.click(); await new Promise((end) => setTimeout(end, 500)); link.remove(); return 'tried';`,
    expected: 'tried',
  },
  { name: 'a dialog that looks like the system’s', script: `return confirm('Your password?');`, expected: false },
  { name: 'printing', script: `print(); return 'tried';`, expected: 'tried' },
];

const BRIDGE: Attack[] = [
  {
    name: 'another bridge in its place',
    script: `try { window.kiwi = { enroll: 1 }; } catch {} return typeof window.kiwi.enroll;`,
    expected: 'function',
  },
  {
    name: 'another function on the bridge',
    script: `const was = kiwi.enterPin; try { kiwi.enterPin = (pin) => { globalThis.ran = pin; }; } catch {} return kiwi.enterPin === was;`,
    expected: true,
  },
  {
    name: 'the bridge taken away',
    script: `try { delete window.kiwi; } catch {} return typeof window.kiwi;`,
    expected: 'object',
  },
  {
    name: 'prototypes that look on',
    script: `const seen = []; const was = Array.prototype[Symbol.iterator];
      Object.defineProperty(Object.prototype, 'senderFrame', { configurable: true, get() { seen.push('get'); return undefined; } });
      Object.defineProperty(Array.prototype, 'toJSON', { configurable: true, value() { seen.push('json'); return ['enroll']; } });
      Array.prototype[Symbol.iterator] = function () { seen.push('iterate'); return was.call(this); };
      const { apply, call } = Function.prototype; Function.prototype.call = function (...rest) { seen.push(String(this).slice(0, 40)); return apply.call(call, this, rest); };
      kiwi.refresh; kiwi.copy('from the page'); kiwi.chooseKey(1);
      Function.prototype.call = call; Array.prototype[Symbol.iterator] = was; delete Object.prototype.senderFrame; delete Array.prototype.toJSON;
      return seen.filter((what) => /native|ipc|invoke/u.test(what));`,
    expected: [],
  },
];

export const ATTACKS: readonly Attack[] = [...NODE, ...INJECTED, ...OUT, ...AWAY, ...DEVICES, ...BRIDGE];
