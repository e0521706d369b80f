import { readFile } from 'node:fs/promises';
import path from 'node:path';

import { protocol } from 'electron';

import { FILES, HEADERS } from './page-files.ts';

/** To be called before the application is ready. */
export function registerProtocol(): void {
  protocol.registerSchemesAsPrivileged([{ scheme: 'kiwi', privileges: { standard: true, secure: true } }]);
}

/** To be called when the application is ready. @param folder with the page's files */
export function servePage(folder: string): void {
  protocol.handle('kiwi', async (request) => {
    const { host, pathname } = new URL(request.url);
    const type = FILES[pathname];
    if (request.method !== 'GET' || host !== 'app' || type === undefined) return new Response('', { status: 404 });
    const body = await readFile(path.join(folder, pathname));
    return new Response(new Uint8Array(body), { headers: { ...HEADERS, 'content-type': type } });
  });
}
