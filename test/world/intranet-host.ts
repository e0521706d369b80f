// Run inside the room behind the slice: answers GET / with one line.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import path from 'node:path';

const [, , dir = '.'] = process.argv;
createServer(
  { cert: readFileSync(path.join(dir, 'tls.crt')), key: readFileSync(path.join(dir, 'tls.key')) },
  (request, response) => {
    response.end(`hello ${request.socket.remoteAddress ?? 'nobody'}, this is inside\n`);
  },
).listen(443, '10.77.1.30', () => {
  process.stdout.write('{"type":"ready"}\n');
});
