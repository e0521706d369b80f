import { mkdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';

import { z } from 'zod';

import { ignoreMissing, writeDurableFile } from '../core/durable-file.ts';
import { KiwiError } from '../core/errors.ts';
import { readCappedFile } from '../core/read-capped-file.ts';
import { gatewayUrl, text, timestamp } from '../protocol/common.ts';
import { parseMessage } from '../protocol/parse.ts';
import { openKeychain, type Keychain } from './keychain.ts';
import { signedIn, type SignedIn } from './signed-in.ts';

/** Where the key of a session is kept. */
export type StoreKind = 'keychain' | 'file';

const MAX_BYTES = 256 * 1024;

const book = z.strictObject({
  version: z.literal(1),
  /** Newest last: the last one is meant when no gateway is named. */
  signIns: z
    .array(
      z.strictObject({
        ...{ gateway: gatewayUrl, customer: text(100), operator: text(64), expiresAt: timestamp },
        store: z.enum(['keychain', 'file']),
        /** Only where somebody asked for a file. */
        session: signedIn.exactOptional(),
      }),
    )
    .max(100),
});
type Book = z.infer<typeof book>;

/** Remembers sign-ins: which there are in a file, each session's key in the keychain of the person. */
export class SignInStore {
  readonly #file: string;
  readonly #keychain: () => Promise<Keychain>;

  constructor(
    folder = path.join(homedir(), '.config', 'kiwistack-operator'),
    keychain: () => Promise<Keychain> = openKeychain,
  ) {
    this.#file = path.join(folder, 'sign-ins.json');
    this.#keychain = keychain;
  }

  /** Before somebody is asked for a PIN: whether a sign-in could be kept there. @throws KiwiError `keychain-unavailable` */
  async prepare(gateway: string, store: StoreKind): Promise<void> {
    if (store === 'keychain') await (await this.#keychain()).get(gateway);
  }

  /** @throws KiwiError `keychain-unavailable` */
  async keep(session: SignedIn, store: StoreKind): Promise<void> {
    const { gateway, customer, operator, expiresAt } = session;
    if (store === 'keychain') await (await this.#keychain()).set(gateway, JSON.stringify(session));
    const entry = { gateway, customer: customer.name, operator, expiresAt, store };
    const others = (await this.#read()).signIns.filter((one) => one.gateway !== gateway);
    await this.#write({ version: 1, signIns: [...others, store === 'file' ? { ...entry, session } : entry] });
  }

  /** @param gateway absent: the newest one @throws KiwiError `sign-in-needed`, `keychain-unavailable` */
  async find(gateway?: string): Promise<SignedIn> {
    const found = (await this.#read()).signIns.findLast((one) => gateway === undefined || one.gateway === gateway);
    if (found === undefined) throw new KiwiError('sign-in-needed', gateway === undefined ? {} : { detail: gateway });
    if (found.session !== undefined) return found.session;
    const secret = await (await this.#keychain()).get(found.gateway);
    if (secret === undefined) throw new KiwiError('sign-in-needed', { detail: 'the keychain has it no more' });
    return parseMessage(signedIn, secret, MAX_BYTES, 'sign-in-needed');
  }

  async forget({ gateway }: Pick<SignedIn, 'gateway'>): Promise<void> {
    const { signIns } = await this.#read();
    const found = signIns.find((one) => one.gateway === gateway);
    await this.#write({ version: 1, signIns: signIns.filter((one) => one !== found) });
    if (found?.store === 'keychain') await (await this.#keychain()).remove(gateway);
  }

  async #read(): Promise<Book> {
    const rules = { maxBytes: MAX_BYTES, private: true };
    const bytes = await readCappedFile(this.#file, rules).catch(ignoreMissing);
    if (bytes === undefined) return { version: 1, signIns: [] };
    return parseMessage(book, bytes, MAX_BYTES, 'state-damaged');
  }

  async #write(content: Book): Promise<void> {
    await mkdir(path.dirname(this.#file), { recursive: true, mode: 0o700 });
    await writeDurableFile(this.#file, `${JSON.stringify(content, null, 2)}\n`, 0o600);
  }
}
