import { createSocket } from 'node:dgram';
import { appendFileSync } from 'node:fs';

/** Runs in a machine: answers every question for an address with the same one, and keeps the names it was asked for. */
const [listen = '', answer = '', log = ''] = process.argv.slice(2);
const socket = createSocket('udp4');
socket.on('message', (query, from) => {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.subarray(at + 1, at + 1 + length).toString());
    at += 1 + length;
  }
  appendFileSync(log, `${labels.join('.')}\n`);
  const asksForIpv4 = query.readUInt16BE(at + 1) === 1;
  const head = Buffer.from(query.subarray(0, at + 5));
  // A response, recursion available; one question, no more than one answer.
  head.writeUInt16BE(0x8180, 2);
  [1, asksForIpv4 ? 1 : 0, 0, 0].forEach((count, index) => head.writeUInt16BE(count, 4 + 2 * index));
  const address = Buffer.from(answer.split('.').map(Number));
  const record = Buffer.concat([Buffer.from('c00c00010001000000010004', 'hex'), address]);
  socket.send(asksForIpv4 ? Buffer.concat([head, record]) : head, from.port, from.address);
});
socket.bind(53, listen);
