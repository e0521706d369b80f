// Run inside a room: relays connections from one place to another. A place is `unix:PATH` or `HOST:PORT`. Through a
// socket in the folder that all rooms share, a test outside the lab can act as a client and as a server inside it.
import { rmSync } from 'node:fs';
import { connect, createServer, type NetConnectOpts } from 'node:net';

function place(text: string): NetConnectOpts {
  if (text.startsWith('unix:')) return { path: text.slice('unix:'.length) };
  const [host = '', port = ''] = text.split(':');
  return { host, port: Number(port) };
}

const [, , from = '', to = ''] = process.argv;
const listen = place(from);
if ('path' in listen) rmSync(listen.path, { force: true });
createServer({ allowHalfOpen: true }, (incoming) => {
  const outgoing = connect({ ...place(to), allowHalfOpen: true });
  incoming.on('error', () => outgoing.destroy());
  outgoing.on('error', () => incoming.destroy());
  incoming.on('close', () => outgoing.destroy());
  outgoing.on('close', () => incoming.destroy());
  incoming.pipe(outgoing);
  outgoing.pipe(incoming);
}).listen(listen, () => {
  process.stdout.write('{"type":"ready"}\n');
});
