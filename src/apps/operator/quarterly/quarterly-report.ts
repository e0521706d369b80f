/** What is judged of a slice, from 0 to 100. */
export interface Score {
  readonly area: 'renewals' | 'keys' | 'leavers' | 'alarms' | 'audit';
  readonly points: number;
  /** What it was judged from. */
  readonly from: string;
}

export interface QuarterlyReport {
  readonly customer: { readonly slug: string; readonly name: string };
  readonly quarter: string;
  /** RFC 3339; the end is that of the quarter, or the present when it is not over. */
  readonly from: string;
  readonly until: string;
  readonly complete: boolean;
  /** The oldest records of the quarter were not counted: there are too many. */
  readonly partial: boolean;
  readonly madeAt: string;
  readonly scores: readonly Score[];
  /** The mean of the scores, a whole number. */
  readonly total: number;
  readonly devices: {
    readonly active: number;
    readonly inTpm: number;
    readonly enrolled: number;
    readonly ended: Readonly<Record<string, number>>;
    /** Offboarded ones that do not know it yet. */
    readonly untold: readonly { readonly name: string; readonly endedAt: string }[];
  };
  /** Laptops that were reported lost in the quarter, whatever became of them since. */
  readonly losses: readonly {
    readonly name: string;
    readonly at: string;
    readonly why: string;
    readonly now: 'lost' | 'erased' | 'enrolled again' | 'erased, and enrolled again';
  }[];
  /** Changes of the intermediate. */
  readonly intermediate: readonly { readonly at: string; readonly what: string; readonly why: string }[];
  readonly keys: {
    readonly active: number;
    readonly registered: number;
    readonly burned: readonly {
      readonly serial: number;
      readonly role: string;
      readonly at: string;
      readonly why: string;
    }[];
    /** Those that need another certificate before they enroll again. */
    readonly uncertified: number;
  };
  readonly renewals: {
    readonly done: number;
    readonly overdue: readonly {
      readonly name: string;
      readonly role: string;
      readonly lastAt: string;
      readonly days: number;
    }[];
  };
  readonly consents: readonly {
    readonly name: string;
    readonly at: string;
    readonly operator: string;
    readonly why: string;
    readonly state: string;
  }[];
  readonly alarms: {
    readonly raised: Readonly<Record<string, number>>;
    readonly open: readonly {
      readonly name: string;
      readonly at: string;
      readonly code: string;
      readonly days: number;
    }[];
  };
  /** By code, the most frequent first. */
  readonly refusals: readonly { readonly code: string; readonly count: number }[];
  readonly audit: { readonly whole: boolean; readonly records: number; readonly why?: string };
}
