// Run in a room: an HTTP proxy that knows CONNECT and nothing else. Tells on stdout what it was asked for. Its argument, if any, is
// the user and password that it wants: USER:PASSWORD.
import { createServer } from 'node:http';
import { connect } from 'node:net';

const [wanted] = process.argv.slice(2);
const authorization = wanted === undefined ? undefined : `Basic ${Buffer.from(wanted).toString('base64')}`;

const server = createServer((_request, response) => {
  response.writeHead(405).end();
});
server.on('connect', (request, client, head) => {
  const target = request.url ?? '';
  if (authorization !== undefined && request.headers['proxy-authorization'] !== authorization) {
    client.end('HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n');
    return;
  }
  process.stdout.write(`${JSON.stringify({ type: 'connect', target })}\n`);
  const colon = target.lastIndexOf(':');
  const upstream = connect(Number(target.slice(colon + 1)), target.slice(0, colon), () => {
    client.write('HTTP/1.1 200 Connection established\r\n\r\n');
    upstream.write(head);
    upstream.pipe(client).pipe(upstream);
  });
  for (const socket of [client, upstream]) {
    socket.on('error', () => {
      client.destroy();
      upstream.destroy();
    });
  }
});
server.listen(3128, '0.0.0.0', () => {
  process.stdout.write('{"type":"ready"}\n');
});
