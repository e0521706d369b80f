import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';

/** An HTTP proxy on loopback that knows CONNECT, and answers it with a status of its own if it is given one. */
export interface LocalProxy {
  readonly address: string;
  /** Each CONNECT: its target, and the credentials that came with it. */
  readonly asked: string[];
  status: number | undefined;
  /** Where it connects everybody to, whatever the target. */
  target: string | undefined;
  close(): Promise<void>;
}

export async function startLocalProxy(): Promise<LocalProxy> {
  const server = createServer();
  const proxy: LocalProxy = {
    address: '',
    asked: [],
    status: undefined,
    target: undefined,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
  server.on('connect', ({ url = '', headers }, client) => {
    const [, credentials = ''] = headers['proxy-authorization']?.split(' ') ?? [];
    proxy.asked.push(`${url} ${Buffer.from(credentials, 'base64').toString()}`.trim());
    client.on('error', () => undefined);
    if (proxy.status !== undefined) {
      client.end(`HTTP/1.1 ${proxy.status} No\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    const [host = '', port] = (proxy.target ?? url).split(':');
    const upstream = connect(Number(port), host, () => {
      client.write('HTTP/1.1 200 OK\r\n\r\n');
      upstream.pipe(client).pipe(upstream);
    });
    upstream.on('error', () => client.destroy());
    client.on('close', () => upstream.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return Object.assign(proxy, { address: `127.0.0.1:${(server.address() as AddressInfo).port}` });
}
