/** At this cut, PIN and touch are given. */
export const SIGNING_CUT: PowerCut = { point: 'statement:after-act', signed: false };

/**
 * Where the power is cut, one cut after another, while one enrollment progresses: edges of docs/reliability.md that
 * every run passes at that stage, whatever a parallel lane had already done. Ten of them, spread over the plan.
 */
export const POWER_CUTS: readonly PowerCut[] = [
  { point: 'key:after-act', signed: false },
  { point: 'file:acme.key:written', signed: false },
  { point: 'slice:after-intent', signed: false },
  SIGNING_CUT,
  { point: 'grant:after-intent', signed: true },
  { point: 'file:acme.crt:renamed', signed: true },
  { point: 'trust:after-act', signed: true },
  { point: 'tunnel:after-act', signed: true },
  { point: 'agent:after-act', signed: true },
  { point: 'confirm:after-act', signed: true },
];

export interface PowerCut {
  readonly point: string;
  /** The signature is already on disk: the key is not needed any more, and is not plugged in. */
  readonly signed: boolean;
}

/** Where the power is cut while a laptop with a token is at its first start, and what of it is at work then. */
export interface FirstStartCut {
  readonly unit: 'kiwistack-first-boot' | 'kiwistack-disk';
  readonly point: string;
}

const at = (unit: FirstStartCut['unit'], ...points: readonly string[]): readonly FirstStartCut[] =>
  points.map((point) => ({ unit, point }));

/** As `POWER_CUTS`, over a claim, the sign-in that it sets up, and the securing of the disk after it. */
export const FIRST_START_CUTS: readonly FirstStartCut[] = [
  ...at('kiwistack-first-boot', 'file:acme.key:written', 'claim:after-act', 'file:acme.crt:renamed'),
  ...at('kiwistack-first-boot', 'tunnel:after-act', 'confirm:after-act'),
  ...at('kiwistack-first-boot', 'file:sssd.conf:renamed', 'sign-in:after-act', 'spent:after-intent'),
  ...at('kiwistack-disk', 'disk:after-key', 'disk:after-receipt', 'disk:after-tpm', 'disk:after-factory-key'),
];
