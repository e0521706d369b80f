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
