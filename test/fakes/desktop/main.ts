import { connect } from 'node:net';

import { FIELD, readMessage, readValues, string, TYPE, uint32, writeMessage, type Message } from './message.ts';

// main.ts SOCKET [silent]: takes the name of the notification service on the bus at this socket. `silent`: never answers a call.
const [, , socketPath = '', mode = ''] = process.argv;
const BUS = ['org.freedesktop.DBus', '/org/freedesktop/DBus'] as const;
const NAME = 'org.freedesktop.Notifications';

const say = (event: object): void => void process.stdout.write(`${JSON.stringify(event)}\n`);

const socket = connect(socketPath);
let received = Buffer.alloc(0);
let authenticated = false;
let serial = 0;
let notices = 40;

const call = (member: string, signature: string, body: Buffer): void => {
  const [destination, path] = BUS;
  const more = signature === '' ? [] : [[FIELD.signature, signature] as const];
  const fields = [
    [FIELD.path, path],
    [FIELD.interface, BUS[0]],
    [FIELD.member, member],
    [FIELD.destination, destination],
    ...more,
  ] as const;
  socket.write(writeMessage(TYPE.call, ++serial, fields, body));
};

const reply = ({ serial: to, fields }: Message, signature: string, body: Buffer): void => {
  const sender = String(fields.get(FIELD.sender));
  const more = signature === '' ? [] : [[FIELD.signature, signature] as const];
  socket.write(
    writeMessage(TYPE.reply, ++serial, [[FIELD.replySerial, to], [FIELD.destination, sender], ...more], body),
  );
};

function take(message: Message): void {
  const { type, fields, body } = message;
  if (type === TYPE.reply && fields.get(FIELD.replySerial) === 2) say({ type: 'ready', uid: process.getuid?.() });
  if (type === TYPE.error) throw new Error(String(fields.get(FIELD.errorName)));
  if (type !== TYPE.call || mode === 'silent') return;
  const signature = String(fields.get(FIELD.signature) ?? '');
  const values = readValues(body, signature);
  switch (String(fields.get(FIELD.member))) {
    case 'Notify': {
      const [app, replaces, icon, title, text] = values;
      const notice = ++notices;
      say({ type: 'notify', notice, signature, app, replaces, icon, title, text });
      reply(message, 'u', uint32(notice));
      break;
    }
    case 'CloseNotification':
      say({ type: 'close', notice: values[0] });
      reply(message, '', Buffer.alloc(0));
      break;
  }
}

socket.on('connect', () => {
  const uid = Buffer.from(String(process.getuid?.() ?? 0)).toString('hex');
  socket.write(`\0AUTH EXTERNAL ${uid}\r\n`);
});
socket.on('data', (chunk: Buffer) => {
  received = Buffer.concat([received, chunk]);
  if (!authenticated) {
    const end = received.indexOf('\r\n');
    if (end < 0) return;
    if (!received.toString('latin1', 0, end).startsWith('OK ')) throw new Error(received.toString());
    received = received.subarray(end + 2);
    authenticated = true;
    socket.write('BEGIN\r\n');
    call('Hello', '', Buffer.alloc(0));
    call(
      'RequestName',
      'su',
      Buffer.concat([string(NAME), Buffer.alloc((4 - ((4 + NAME.length + 1) % 4)) % 4), uint32(0)]),
    );
  }
  for (let next = readMessage(received); next !== undefined; next = readMessage(received)) {
    received = received.subarray(next.length);
    take(next.message);
  }
});
socket.on('close', () => process.exit(0));
