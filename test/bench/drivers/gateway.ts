// In a stranger's room: many laptops enroll at the same time, without the human and without what a laptop does for itself.
// argv: gateway URL, web CA file, root file, state file of the YubiKey, number, concurrency, rounds. Prints {"ms":[…]}, a round each.
import { generateP256 } from '../../../src/pki/keys.ts';
import { openYubiKey } from '../../world/opened-yubikey.ts';
import { ProtocolClient, type Answer } from '../../world/protocol-client.ts';
import { inParallel } from './in-parallel.ts';

const [, , gatewayUrl = '', webCaFile = '', rootFile = '', stateFile = '', number = '0', atOnce = '1', rounds = '1'] =
  process.argv;
const [count, concurrency] = [Number(number), Number(atOnce)];
const client = new ProtocolClient({ gatewayUrl, webCaFile, rootFile });
const key = openYubiKey(stateFile);

interface Laptop {
  readonly deviceKey: ReturnType<typeof generateP256>;
  readonly hello: ReturnType<ProtocolClient['helloFor']>;
  challenge: string;
}
interface Signed {
  readonly sessionId: string;
  readonly jwe: string;
}

const must = (answer: Answer): string => {
  if (answer.status >= 300) throw new Error(`${answer.status} ${answer.body}`);
  return answer.body;
};

function newLaptops(): Laptop[] {
  return Array.from({ length: count }, () => {
    const deviceKey = generateP256();
    return { deviceKey, hello: client.helloFor(deviceKey), challenge: '' };
  });
}
async function greet(laptop: Laptop): Promise<void> {
  laptop.challenge = must(await client.sendHello(laptop.hello));
}
/** What the laptops do for themselves is not the gateway's time. */
async function sign(laptops: readonly Laptop[]): Promise<Signed[]> {
  const signed: Signed[] = [];
  for (const { deviceKey, hello, challenge } of laptops) {
    const exchange = client.opened(key, deviceKey, hello, challenge);
    const jwe = await client.seal(key, exchange, await client.statementOf(key, exchange));
    signed.push({ sessionId: exchange.opened.challenge.sessionId, jwe });
  }
  return signed;
}
async function enroll({ sessionId, jwe }: Signed): Promise<void> {
  must(await client.sendStatement(sessionId, jwe));
}

// Laptops come one after the other: while some say hello, others, who have their challenge, send their statements. So a round is
// as many hellos as statements, mixed. The first hellos and the last statements are outside of the clock; they also open the connections.
let greeted = newLaptops();
await inParallel(greeted, concurrency, greet);
let signed = await sign(greeted);
const ms: number[] = [];
for (let round = 0; round < Number(rounds); round++) {
  greeted = newLaptops();
  const pairs = greeted.map((laptop, index) => ({ laptop, statement: signed[index] }));
  ms.push(
    await inParallel(pairs, concurrency, async ({ laptop, statement }) => {
      await greet(laptop);
      if (statement !== undefined) await enroll(statement);
    }),
  );
  signed = await sign(greeted);
}
await inParallel(signed, concurrency, enroll);
await client.close();
process.stdout.write(`${JSON.stringify({ ms })}\n`);
