// In a stranger's room: many laptops enroll at once, without the human and without what a laptop does for itself.
// argv: gateway URL, web CA file, root file, state file of the YubiKey, number, concurrency. Prints {"ms":…}.
import { generateP256 } from '../../../src/pki/keys.ts';
import { openYubiKey } from '../../world/opened-yubikey.ts';
import { ProtocolClient, type Answer, type Exchange } from '../../world/protocol-client.ts';
import { inParallel } from './in-parallel.ts';

const [, , gatewayUrl = '', webCaFile = '', rootFile = '', stateFile = '', count = '0', concurrency = '1'] =
  process.argv;
const client = new ProtocolClient({ gatewayUrl, webCaFile, rootFile });
const key = openYubiKey(stateFile);

const must = (answer: Answer): string => {
  if (answer.status >= 300) throw new Error(`${answer.status} ${answer.body}`);
  return answer.body;
};

const hellos = Array.from({ length: Number(count) }, () => {
  const deviceKey = generateP256();
  return { deviceKey, hello: client.helloFor(deviceKey), challenge: '' };
});
// As the other side of the comparison: through connections that are open, by a client that has run before.
await inParallel(
  Array.from({ length: 4 * Number(concurrency) }, () => 0),
  Number(concurrency),
  () => client.send('GET', '/healthz', '', undefined),
);
const helloMs = await inParallel(hellos, Number(concurrency), async (item) => {
  item.challenge = must(await client.sendHello(item.hello));
});
// What the laptops do for themselves is not the gateway's time.
const statements: { exchange: Exchange; jwe: string }[] = [];
for (const { deviceKey, hello, challenge } of hellos) {
  const exchange = client.opened(key, deviceKey, hello, challenge);
  statements.push({ exchange, jwe: await client.seal(key, exchange, await client.statementOf(key, exchange)) });
}
const statementMs = await inParallel(statements, Number(concurrency), async ({ exchange, jwe }) => {
  must(await client.sendStatement(exchange.opened.challenge.sessionId, jwe));
});
await client.close();
process.stdout.write(`${JSON.stringify({ ms: helloMs + statementMs, helloMs, statementMs })}\n`);
