import { z } from 'zod';

import { checkOutcome, keeper, statusReply } from './replies.ts';
import { errorCode, wireError } from './wire-error.ts';

/** Other versions are refused: agent and programs come in one package, and differ only while it is being upgraded. */
export const API = 1;

/**
 * Where systemd, or launchd, listens for the agent. The folder belongs to root, so that nobody else can have put a socket there. On macOS it is
 * one of the package: /var/run is empty after a restart there, and launchd makes no folder.
 */
export const AGENT_SOCKET =
  process.platform === 'darwin' ? '/Library/KiwiStack/run/agent.socket' : '/run/kiwistack-enroll/agent.socket';

/** The longest line that each side reads. A caller says little; an answer has every check in it. */
export const MAX_LINE = { toAgent: 64 * 1024, fromAgent: 1024 * 1024 } as const;

/** A support bundle, as a file has it: src/protocol/common.ts has the limit. */
export const bundleText = z.string().max(256 * 1024);

const base64 = (max: number) => z.base64().max(max);
const word = z.string().max(300);
const wholeNumber = z.int().min(0).max(1_000_000_000);

/** The first line of a connection, and the only request of it. */
export const request = z.discriminatedUnion('verb', [
  /** With `watch`, again and again until it is cancelled: each look is an event, and the last one the reply. */
  z.strictObject({ api: z.literal(API), verb: z.literal('status'), watch: z.literal(true).exactOptional() }),
  z.strictObject({ api: z.literal(API), verb: z.literal('doctor'), checks: z.array(word).max(100).exactOptional() }),
  z.strictObject({ api: z.literal(API), verb: z.literal('check') }),
  z.strictObject({ api: z.literal(API), verb: z.literal('renew') }),
  /** With `signIn`, people are to sign in with the account of the organisation, if it offers that: the caller has asked the person. */
  z.strictObject({ api: z.literal(API), verb: z.literal('enroll'), signIn: z.literal(true).exactOptional() }),
  z.strictObject({ api: z.literal(API), verb: z.literal('uninstall') }),
  z.strictObject({
    ...{ api: z.literal(API), verb: z.literal('mend') },
    reason: z.enum(['network', 'wake', 'clock', 'silent', 'stale', 'asked']),
  }),
  /** Who is to keep the tunnel from now on. For the app it goes on until the person has approved it; to cancel it takes it back. */
  z.strictObject({ api: z.literal(API), verb: z.literal('tunnel'), by: keeper }),
  z.strictObject({ api: z.literal(API), verb: z.literal('repair'), checks: z.array(word).max(100).exactOptional() }),
  z.strictObject({ api: z.literal(API), verb: z.literal('support-bundle'), send: z.boolean() }),
]);
export type Request = z.infer<typeof request>;

/** The key that the caller lends: what the agent derives everything else from, as if it had read the YubiKey itself. */
export const lentKey = z.strictObject({
  serial: z.int().min(1).max(0xffffffff),
  slot: z.string().regex(/^(9[acde]|8[2-9a-f]|9[0-5])$/u),
  /** DER */
  certificate: base64(8192),
  attestation: base64(8192),
  attestationIssuer: base64(8192),
  pin: z.enum(['ok', 'low', 'final', 'locked']),
});
export type LentKey = z.infer<typeof lentKey>;

/** What the caller says later: the answer to a question, or that the operation shall end. */
export const callerMessage = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('cancel') }),
  z.strictObject({ type: z.literal('key'), key: lentKey }),
  z.strictObject({ type: z.literal('signature'), signature: base64(1024) }),
  /** What was shown may be sent. */
  z.strictObject({ type: z.literal('agreed') }),
  /** The question cannot be answered. */
  z.strictObject({ type: z.literal('failed'), error: wireError }),
]);
export type CallerMessage = z.output<typeof callerMessage>;

/** What the agent asks of the caller. One question is open at a time. */
export const question = z.discriminatedUnion('ask', [
  /** Wait for the person's YubiKey and read it. */
  z.strictObject({ ask: z.literal('key') }),
  /** Sign with it. The caller has to see for itself what it is: see `readStatement`. */
  z.strictObject({
    ask: z.literal('signature'),
    data: base64(256 * 1024),
    /** The bytes of the hello, and the slice's challenge to it, a compact JWS: what the six digits are made of. */
    hello: base64(8192),
    challenge: z.string().max(32 * 1024),
    /** How long the slice waits for it. */
    expiresInMs: z.int(),
  }),
  /** Show the person this bundle, and ask whether it may be sent. */
  z.strictObject({
    ask: z.literal('agreement'),
    ...{ bundle: bundleText, customer: word, gatewayUrl: z.string().max(500) },
  }),
]);
export type Question = z.infer<typeof question>;

const repair = { name: word, does: word, for: z.array(word).max(300).readonly() };
const step = { step: word, title: word };
/** What happens meanwhile, in the words of `--json`. */
export const event = z.discriminatedUnion('type', [
  z.object({ type: z.literal('step-started'), ...step }),
  z.object({ type: z.literal('step-done'), ...step, ms: z.number(), kept: z.boolean() }),
  z.object({ type: z.literal('step-failed'), ...step, ms: z.number(), error: wireError }),
  z.object({ type: z.literal('step-retried'), ...step, error: wireError, delayMs: z.number() }),
  z.object({ type: z.literal('step-waits'), ...step, for: word, until: word.exactOptional() }),
  z.object({ type: z.literal('undo-started') }),
  z.object({ type: z.literal('step-undone'), ...step, ms: z.number() }),
  z.object({ type: z.literal('undo-failed'), ...step, error: wireError }),
  z.object({ type: z.literal('resumed'), startedAt: word }),
  z.object({ type: z.literal('farewell'), customer: word, deviceId: word, error: wireError.exactOptional() }),
  z.object({ type: z.literal('certificate-expired'), at: word, replaced: z.literal(true).exactOptional() }),
  z.object({ type: z.literal('certificate-renewed'), number: z.number(), notAfter: word }),
  z.object({ type: z.literal('undo-resumed') }),
  z.object({ type: z.literal('waiting'), for: word }),
  /** For the person, who installs the WireGuard app or approves its profile; then for the app, which takes the tunnel over. */
  z.object({ type: z.literal('tunnel-waits'), for: z.enum(['app', 'approval', 'hand-over']) }),
  /** What a status that is watched has seen now. */
  z.object({ type: z.literal('looked'), status: statusReply }),
  /** What was examined before it is repaired. */
  z.object({ type: z.literal('examined'), outcomes: z.array(checkOutcome).max(300).readonly() }),
  z.object({ type: z.literal('repair-started'), ...repair }),
  z.object({ type: z.literal('repair-done'), name: word }),
  z.object({ type: z.literal('repair-failed'), name: word, error: wireError }),
  z.object({ type: z.literal('key-found'), serial: wholeNumber.max(0xffffffff), role: word, customer: word }),
  z.object({
    type: z.literal('slice-proven'),
    ...{ customer: word, gatewayUrl: z.string().max(500), code: z.string().regex(/^\d{6}$/u), skewMs: z.number() },
    keyInFile: errorCode.exactOptional(),
  }),
]);
export type Event = z.output<typeof event>;

/** What the agent says. `reply` has the shape of its verb in `REPLIES`; it or `error` is the last. */
export const agentMessage = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('event'), event }),
  z.strictObject({ type: z.literal('question'), question }),
  z.strictObject({ type: z.literal('reply'), reply: z.unknown() }),
  z.strictObject({ type: z.literal('error'), error: wireError }),
]);
export type AgentMessage = z.output<typeof agentMessage>;
