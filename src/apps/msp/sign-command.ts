import path from 'node:path';

import type { Clock } from '../../core/clock.ts';
import { EXIT } from '../../core/error-codes.ts';
import { writeDurableFile } from '../../core/durable-file.ts';
import { KiwiError } from '../../core/errors.ts';
import { unusable } from '../../core/read-given-file.ts';
import { DAY } from '../../pki/issue.ts';
import { lifeUnder, outsideOf, readPolicy } from '../../provider/policy.ts';
import { openRequest, signOpened, type OpenedRequest } from '../../provider/sign-request.ts';
import { printAnswer } from '../../terminal/report.ts';
import { withRoot, type RootFlags } from './root-in-use.ts';

export interface ShowFlags {
  readonly request: string;
  readonly policy: string;
  readonly days?: number;
  readonly json?: boolean;
}

export interface SignFlags extends ShowFlags, RootFlags {
  readonly keyDigest: string;
  readonly out: string;
  readonly json?: boolean;
}

/** `kiwistack-msp show`: what a request asks for, and whether the policy allows it. */
export async function showCommand(flags: ShowFlags): Promise<number> {
  const request = await openRequest(flags.request);
  const policy = await readPolicy(flags.policy);
  const outside = outsideOf(policy, request.scope);
  const fields = { ...request.scope, keyDigest: request.keyDigest, longestDays: policy.longestDays, outside };
  printAnswer(flags, 'request', fields, [
    ...describe(request),
    `  life        at most ${policy.longestDays} days`,
    ...(outside.length === 0
      ? ['  policy      allows it']
      : outside.map((what) => `  OUTSIDE     the policy: ${what}`)),
    'The digest has to be the one that the customer reads to you, over another channel than the file came by.',
  ]);
  return EXIT.done;
}

/**
 * `kiwistack-msp sign`. The digest that the customer has read out is an argument, so that nobody signs without having compared it: the
 * file may have been exchanged on its way.
 */
export async function signCommand(flags: SignFlags, clock: Clock, signal: AbortSignal): Promise<number> {
  const request = await openRequest(flags.request);
  if (flags.keyDigest !== request.keyDigest) {
    // Not which it is: whoever has the file at hand would paste it, and nobody had compared anything.
    throw new KiwiError('usage', {
      detail: '--key-digest is not that of the request',
      hint: 'Have the customer read out the digest that `intermediate request` showed, by another way than the file came. If it differs still, the file was exchanged.',
    });
  }
  const policy = await readPolicy(flags.policy);
  const { days } = flags;
  // Before a PIN is asked for.
  const life = lifeUnder(policy, request.scope, days);
  if (flags.json !== true) {
    process.stderr.write([...describe(request), `  life        ${life / DAY} days`, ''].join('\n'));
  }
  const now = new Date(clock.now());
  const { answer, certificate } = await withRoot(flags, clock, signal, (root) =>
    signOpened(request, root, now, { policy, days }),
  );
  await writeOut(flags.out, answer);
  const until = certificate.notAfter.toISOString();
  const fields = { file: path.resolve(flags.out), ...request.scope, keyDigest: request.keyDigest, until };
  printAnswer(flags, 'signed', { ...fields, serial: certificate.serialHex }, [
    `Signed an intermediate for ${request.scope.customer.name}, number ${certificate.serialHex}, valid until ${until}: ${flags.out}`,
    'It holds nothing secret. For a request with a new key, the slice takes it with `kiwistack-slice intermediate replace`, else with `install`.',
  ]);
  return EXIT.done;
}

function describe({ scope: { customer, domains, networks }, keyDigest }: OpenedRequest): string[] {
  return [
    `A request for an intermediate of ${customer.name} (${customer.slug}). It could speak for every server in these domains and networks, and for no other:`,
    `  domains     ${domains.length === 0 ? 'none' : domains.join(', ')}`,
    `  networks    ${networks.join(', ')}`,
    `  public key  ${keyDigest} (SHA-256)`,
  ];
}

export async function writeOut(file: string, text: string): Promise<void> {
  try {
    await writeDurableFile(path.resolve(file), text, 0o644);
  } catch (error) {
    throw unusable(file, 'cannot be written', { option: '--out', cause: error });
  }
}
