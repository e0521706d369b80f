// In a stranger's room: hellos and claims with an id that the slice knows and with others, by turns, each with a wrong secret.
// argv: gateway URL, web CA file, the id of a token. Prints {"known":{"hello":[…],"refusal":[…]},"unknown":{…}}, milliseconds.
import { readFile } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';

import { newToken, readClaimChallenge, sealClaim, sendClaim, startClaim } from '../../fakes/slice/test-claim.ts';
import { newLaptop, type GatewayHand } from '../../fakes/slice/test-laptop.ts';
import { Agent, request } from 'undici';

const [, , gatewayUrl = '', webCaFile = '', knownId = ''] = process.argv;
const ROUNDS = 200;

const agent = new Agent({ connect: { ca: await readFile(webCaFile, 'utf8') }, connections: 1 });
let tookMs = 0;
const hand: GatewayHand = {
  async send(method, path, type, body) {
    const start = performance.now();
    const response = await request(`${gatewayUrl}${path}`, {
      ...{ method, dispatcher: agent, body: body ?? null },
      ...(type === undefined ? {} : { headers: { 'content-type': type } }),
    });
    const text = await response.body.text();
    tookMs = performance.now() - start;
    return { status: response.statusCode, headers: response.headers, body: text };
  },
  close: () => agent.close(),
};

const times = {
  known: { hello: [] as number[], refusal: [] as number[] },
  unknown: { hello: [] as number[], refusal: [] as number[] },
};
const laptop = newLaptop();
for (let round = 0; round < ROUNDS; round++) {
  for (const kind of ['known', 'unknown'] as const) {
    const token = { ...newToken(), id: kind === 'known' ? knownId : randomUUID() };
    const started = await startClaim(hand, laptop, token);
    const helloMs = tookMs;
    readClaimChallenge(started.jws);
    const jwe = await sealClaim(started);
    const answer = await sendClaim(hand, started.content.sessionId, jwe);
    if (!answer.body.includes('claim-refused')) throw new Error(answer.body);
    // The first ones open the connection and compile the gateway's code.
    if (round < ROUNDS / 10) continue;
    times[kind].hello.push(helloMs);
    times[kind].refusal.push(tookMs);
  }
}
await hand.close();
process.stdout.write(JSON.stringify(times));
