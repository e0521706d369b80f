import { appletByIdentifier, runSmallApplet, selectAnswer, type AppletName } from './applets.ts';
import type { KeyState } from './key/state.ts';
import { runPivCommand } from './piv/application.ts';
import { newSession, type PivContext } from './piv/context.ts';
import { CommandChain, parseCommand, ResponseQueue, type Command } from './wire/apdu.ts';
import { StatusWordError, SW, statusBytes } from './wire/status-word.ts';
import { TlvError } from './wire/tlv.ts';

/** What the card needs from the world around it. */
export interface CardEnvironment {
  readonly save: (state: KeyState) => void;
  readonly waitForTouch: () => Promise<boolean>;
  readonly now: () => number;
}

const SELECT = 0xa4;
const GET_RESPONSE = 0xc0;

/** One key with power: takes APDUs one at a time, answers each with data and status word. Never rejects for what a client sent. */
export class Card {
  readonly state: KeyState;
  readonly #environment: CardEnvironment;
  readonly #chain = new CommandChain();
  readonly #responses = new ResponseQueue();
  #session = newSession();
  #applet: AppletName | undefined;

  constructor(state: KeyState, environment: CardEnvironment) {
    this.state = state;
    this.#environment = environment;
  }

  /** Power off, power on and reset: forgets the PIN, the management key, the application, half-sent commands. */
  powerCycle(): void {
    this.#session = newSession();
    this.#applet = undefined;
    this.#chain.clear();
    this.#responses.clear();
  }

  /** Answers one APDU. */
  async transmit(apdu: Buffer): Promise<Buffer> {
    try {
      const block = parseCommand(apdu);
      if ((block.cla & ~0x10) !== 0) throw new StatusWordError(SW.unknownClass);
      if (block.ins === GET_RESPONSE) return this.#moreOfTheAnswer();
      const command = this.#chain.add(block);
      if (!command) return statusBytes(SW.ok);
      this.#responses.clear();
      return this.#responses.begin(await this.#run(command), command.extended);
    } catch (error) {
      if (error instanceof StatusWordError) return statusBytes(error.statusWord);
      if (error instanceof TlvError) return statusBytes(SW.badData);
      throw error;
    }
  }

  /** What a person holding the key could know of its session. */
  get session(): { applet: AppletName | 'none'; pinVerified: boolean; managementVerified: boolean } {
    const { pinVerified, managementVerified } = this.#session;
    return { applet: this.#applet ?? 'none', pinVerified, managementVerified };
  }

  async #run(command: Command): Promise<Buffer> {
    if (command.ins === SELECT) return this.#select(command);
    if (this.#applet === undefined) throw new StatusWordError(SW.unknownInstruction);
    if (this.#applet !== 'piv') return runSmallApplet(this.#applet, this.state, command);
    const context: PivContext = {
      state: this.state,
      session: this.#session,
      save: () => this.#environment.save(this.state),
      waitForTouch: this.#environment.waitForTouch,
      now: this.#environment.now,
    };
    return runPivCommand(context, command);
  }

  #select(command: Command): Buffer {
    if (command.p1 !== 0x04) throw new StatusWordError(SW.wrongParameters);
    const applet = appletByIdentifier(command.data);
    if (!applet) throw new StatusWordError(SW.notFound);
    // Selecting PIV again keeps its session; going to another application ends it.
    if (applet !== this.#applet) this.#session = newSession();
    this.#session.pinFresh = false;
    this.#applet = applet;
    return selectAnswer(applet, this.state);
  }

  #moreOfTheAnswer(): Buffer {
    return this.#responses.isEmpty ? statusBytes(SW.conditionsNotSatisfied) : this.#responses.next();
  }
}
