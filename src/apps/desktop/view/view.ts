/** An error as the page shows it; its words are in the page's catalogue, by its code. */
export interface ShownError {
  readonly code: string;
  /** The English sentence and advice of the program, for a code that the catalogue does not know, and for the operator. */
  readonly message: string;
  readonly hint: string;
  readonly detail?: string;
  readonly requestId?: string;
}

export interface ShownStep {
  readonly step: string;
  /** English; the catalogue has it by `step`. */
  readonly title: string;
  readonly state: 'running' | 'done' | 'failed' | 'undone' | 'stuck';
}

/** What is left of the PIN: three or more tries, two, one, none. */
export type Tries = 'ok' | 'low' | 'final' | 'locked';

/** The customer as its slice has proven to be, and the six digits that the operator sees too. */
export interface ShownSlice {
  readonly customer: string;
  readonly code: string;
}

export interface ShownKey {
  readonly serial: number;
  readonly role?: string;
  readonly customer?: string;
}

export interface ShownCheck {
  readonly code: string;
  readonly severity: 'failure' | 'warning';
  readonly state: 'well' | 'not-well' | 'not-known' | 'not-looked-at';
  /** English, as `kiwistack-enroll doctor` says them. */
  readonly what: string;
  readonly saw: string;
  readonly error?: ShownError;
  /** A repair can mend it. */
  readonly repairable: boolean;
}

/** Where the customer's people go: a page that the browser opens. */
export interface ShownLink {
  readonly title: string;
  readonly url: string;
}

/** What was done last, said above the status. */
export type Notice =
  | { readonly what: 'kept'; readonly by: 'daemon' | 'app' }
  | { readonly what: 'repaired'; readonly count: number }
  | { readonly what: 'sent'; readonly customer: string }
  | { readonly what: 'saved'; readonly file: string };

/** A part of a report, as it would leave this laptop. */
export interface ShownFile {
  readonly name: string;
  /** English: why it is in it. */
  readonly why: string;
  readonly text: string;
}

export interface ShownStatus {
  readonly customer: string;
  readonly hostName: string;
  readonly healthy: boolean;
  /** ISO 8601 */
  readonly certificateUntil?: string;
  readonly renewal?: string;
  readonly tunnel: 'up' | 'silent' | 'down';
  /** What keeps the connection, where the person can choose: on macOS. */
  readonly keeper?: 'daemon' | 'app';
  readonly fleet: 'online' | 'offline' | 'unknown';
  readonly checks: readonly ShownCheck[];
  readonly links: readonly ShownLink[];
}

/** How the claim of a laptop from an OEM stands, at its first start. */
export type ShownClaim =
  | {
      readonly state: 'working';
      readonly customer?: string;
      readonly step?: { readonly step: string; readonly title: string };
    }
  /** For somebody else; with `code`, for an operator, who compares these six digits. */
  | { readonly state: 'waits'; readonly customer: string; readonly code?: string }
  /** Something is in the way; it is tried again by itself. */
  | {
      readonly state: 'retries';
      readonly customer: string;
      readonly error: ShownError;
      readonly againInMinutes?: number;
    }
  | { readonly state: 'refused'; readonly customer?: string; readonly error: ShownError }
  | { readonly state: 'claimed'; readonly customer: string };

/** One page of the window. */
export type View =
  /** The agent is asked how this laptop stands. */
  | { readonly page: 'looking' }
  /** Not enrolled. `resumable`: an enrollment was cut off. */
  | { readonly page: 'welcome'; readonly resumable: boolean }
  /** Steps before a person is needed, and after. */
  | { readonly page: 'progress'; readonly steps: readonly ShownStep[]; readonly waitsFor?: string }
  /** The key is waited for. */
  | { readonly page: 'key'; readonly why: ShownError }
  | { readonly page: 'choose-key'; readonly keys: readonly ShownKey[] }
  | {
      readonly page: 'pin';
      readonly slice: ShownSlice;
      readonly serial: number;
      readonly tries: Tries;
      readonly refused?: ShownError;
    }
  /** `endsAt`: milliseconds since 1970. */
  | { readonly page: 'touch'; readonly slice: ShownSlice; readonly endsAt: number }
  | { readonly page: 'undoing'; readonly steps: readonly ShownStep[] }
  | {
      readonly page: 'done';
      readonly customer: string;
      readonly hostName: string;
      readonly links: readonly ShownLink[];
    }
  | {
      readonly page: 'failed';
      readonly error: ShownError;
      readonly steps: readonly ShownStep[];
      /** Whether this laptop is as it was; `unknown` when the agent was lost, `nothing` where nothing is undone. */
      readonly undone: 'yes' | 'no' | 'unknown' | 'nothing';
    }
  | { readonly page: 'status'; readonly status: ShownStatus; readonly notice?: Notice }
  /** What a repair does. */
  | { readonly page: 'repairing'; readonly steps: readonly ShownStep[] }
  /** A report is made; with `files`, it may be sent or saved. */
  | { readonly page: 'report'; readonly customer: string; readonly files?: readonly ShownFile[] }
  /** The WireGuard app is to keep the connection. `waitsFor`: the person installs it, or approves its profile; then it takes over. */
  | { readonly page: 'tunnel-app'; readonly waitsFor?: 'app' | 'approval' | 'hand-over' }
  /** The first start of a laptop from an OEM, on the whole screen: nobody is logged in. */
  | { readonly page: 'claim'; readonly claim: ShownClaim }
  | { readonly page: 'left'; readonly customer?: string; readonly told: boolean }
  /** The agent cannot be asked. */
  | { readonly page: 'unavailable'; readonly error: ShownError };

/** What the person may do; `window.kiwi` of the page. */
export interface Kiwi {
  /** Calls back with the view now, and with each that follows. */
  readonly onView: (show: (view: View) => void) => void;
  readonly enroll: () => void;
  /** Ends what goes on; what it has changed is undone. */
  readonly cancel: () => void;
  readonly enterPin: (pin: string) => void;
  readonly chooseKey: (serial: number) => void;
  readonly refresh: () => void;
  readonly renew: () => void;
  readonly leave: () => void;
  /** Repairs what needs no decision. */
  readonly repair: () => void;
  /** Makes a report for the operator and shows it. */
  readonly report: () => void;
  /** The report that is shown may leave this laptop. */
  readonly sendReport: () => void;
  /** The report that is shown becomes a file, where the person says. */
  readonly saveReport: () => void;
  /** On macOS: the WireGuard app is to keep the connection. */
  readonly tunnelByApp: () => void;
  /** On macOS: this program is to keep it again. */
  readonly tunnelByDaemon: () => void;
  readonly copy: (text: string) => void;
  /** Opens a link that is shown, by its place among them, in the person's browser. */
  readonly openLink: (place: number) => void;
  /** At the first start: ends the window, so that the login screen comes. What goes on goes on. */
  readonly toLogin: () => void;
  /** The language of the system: BCP 47. */
  readonly languages: readonly string[];
}
