import { z } from 'zod';

/**
 * What travels over the agent's socket, one message a line of JSON. A caller sends one request; the agent answers with lines of output,
 * may ask for the caller's YubiKey, and ends with the exit code. Unknown members are refused: both ends come from one package.
 */
export const LOCAL_API = 'kiwi-local/1';

/** Octets of one line, without its line feed. */
export const MAX_MESSAGE = 64 * 1024;
/** Characters of output in one message: JSON makes at most six octets of each. */
export const MAX_TEXT = 10_000;

const json = z.boolean();

/** The commands that the agent carries out for somebody who is not root. What `kiwistack-enroll VERB` takes, by name. */
export const agentRequest = z.discriminatedUnion('verb', [
  z.strictObject({ api: z.literal(LOCAL_API), verb: z.literal('status'), json }),
  z.strictObject({
    api: z.literal(LOCAL_API),
    verb: z.literal('doctor'),
    json,
    check: z
      .array(z.string().regex(/^[a-z][a-z0-9-]{0,60}$/))
      .max(60)
      .optional(),
    fix: z.boolean().optional(),
  }),
  z.strictObject({ api: z.literal(LOCAL_API), verb: z.literal('check'), json }),
  z.strictObject({ api: z.literal(LOCAL_API), verb: z.literal('renew'), json }),
  z.strictObject({ api: z.literal(LOCAL_API), verb: z.literal('mend'), json }),
  z.strictObject({ api: z.literal(LOCAL_API), verb: z.literal('uninstall'), json }),
  z.strictObject({
    api: z.literal(LOCAL_API),
    verb: z.literal('enroll'),
    json,
    /** Only the YubiKey with this serial number. */
    serial: z.int().min(0).max(0xffff_ffff).optional(),
    /** How long to wait for it, seconds. */
    wait: z.int().min(0).max(86_400).optional(),
  }),
]);
export type AgentRequest = z.infer<typeof agentRequest>;
export type Verb = AgentRequest['verb'];

const base64 = z.base64().max(16 * 1024);
const id = z.int().min(1).max(1000);
/** One of docs/error-codes.md. */
const code = z.string().regex(/^[a-z][a-z0-9-]{1,60}$/);

/** What the agent needs from whoever has the YubiKey: the PIN never travels. */
export const keyQuestion = z.discriminatedUnion('what', [
  z.strictObject({
    what: z.literal('find'),
    serial: z.int().min(0).optional(),
    waitMs: z.int().min(0).max(86_400_000).optional(),
  }),
  z.strictObject({ what: z.literal('pin-tries') }),
  /** The statement's signing input (RFC 7515, section 5.1). `validMs`: the session ends then, and a touch would be wasted. */
  z.strictObject({ what: z.literal('sign'), data: z.base64().max(60_000), validMs: z.int().min(0).max(86_400_000) }),
]);
export type KeyQuestion = z.infer<typeof keyQuestion>;

export const agentMessage = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('output'), stream: z.enum(['stdout', 'stderr']), text: z.string().max(MAX_TEXT) }),
  z.strictObject({ type: z.literal('ask'), id, question: keyQuestion }),
  /** The command was not carried out. The last message, as `end` is. */
  z.strictObject({ type: z.literal('refused'), code, detail: z.string().max(1000).optional() }),
  z.strictObject({ type: z.literal('end'), exitCode: z.int().min(0).max(255) }),
]);
export type AgentMessage = z.infer<typeof agentMessage>;

/** A YubiKey as it was read: certificates are DER in base64. The agent believes none of it before it has checked the attestation. */
export const foundKey = z.strictObject({
  serial: z.int().min(0).max(0xffff_ffff),
  slot: z.string().regex(/^[0-9a-f]{2}$/),
  certificate: base64,
  attestation: base64,
  attestationIssuer: base64,
});
export type FoundKey = z.infer<typeof foundKey>;

export const keyAnswer = z.discriminatedUnion('what', [
  z.strictObject({ what: z.literal('find'), key: foundKey }),
  z.strictObject({ what: z.literal('pin-tries'), state: z.enum(['ok', 'low', 'final', 'locked']) }),
  z.strictObject({ what: z.literal('sign'), signature: base64 }),
]);
export type KeyAnswer = z.infer<typeof keyAnswer>;

export const callerMessage = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('answer'), id, answer: keyAnswer }),
  z.strictObject({ type: z.literal('refusal'), id, code, detail: z.string().max(1000).optional() }),
  /** Ctrl-C: the command undoes its changes and ends. */
  z.strictObject({ type: z.literal('cancel') }),
]);
export type CallerMessage = z.infer<typeof callerMessage>;
