import { CHECKS } from '../checks/checks.ts';
import { FORM } from './forms.ts';
import type { Allowed } from './keep.ts';

const STEP = /[a-z][a-z-]{1,39}/;
const CHECK = (text: string): boolean => CHECKS.some(({ code }) => code === text);
const ABILITIES: Allowed = [/inside|inside-names|certificate|management|renewal|news/];
const PART = /network|names|gateway|ca|tunnel|endpoint|inside-names|fleet|device/;

/** What may leave, by file. A field that is not here stays on the laptop, whoever adds it where. */
export const CONTENTS = {
  /** Of the record: no person's name, no exchange, no salt, no proxy but whether there is one. */
  enrollment: {
    state: /enrolling|active/,
    startedAt: FORM.time,
    slug: FORM.slug,
    gatewayUrl: FORM.url,
    hasProxy: 'boolean',
    device: {
      deviceId: FORM.uuid,
      hostName: FORM.label,
      address: FORM.ipv4,
      probe: FORM.ipv4,
      fleetUrl: FORM.url,
      confirmed: 'boolean',
      enrolledAt: FORM.time,
      tunnel: { networks: [FORM.cidr], endpoints: [FORM.endpoint] },
      certificate: { number: 'number', renewAfter: FORM.time },
    },
  },
  /** Steps and times. What a step waits for is a text. */
  journal: [{ at: FORM.time, step: STEP, event: /intent|done|waiting|undoing|undone/, until: FORM.time }],
  /** Of each check its code and its outcome. What it saw is a text, with addresses and paths in it. */
  doctor: {
    checks: [
      {
        code: CHECK,
        severity: /failure|warning/,
        state: /well|not-well|not-known|not-looked-at/,
        because: [CHECK],
        error: { code: FORM.code, requestId: FORM.uuid },
      },
    ],
    works: {
      failing: [{ part: PART, code: FORM.code }],
      works: ABILITIES,
      fails: ABILITIES,
      unknown: ABILITIES,
      until: { certificate: FORM.time, renewal: FORM.time },
    },
    seen: {
      answeredAt: FORM.time,
      parts: { ca: 'boolean', endpoint: 'boolean', offlineDays: 'number' },
      renewal: { at: FORM.time, code: FORM.code, requestId: FORM.uuid },
      told: [{ matter: STEP, at: FORM.time }],
    },
    farewells: 'number',
  },
  versions: {
    program: FORM.version,
    node: FORM.version,
    os: /linux|macos|windows/,
    osVersion: /[A-Za-z/ ]{1,40} ?[0-9.]{0,10}(?: LTS)?/,
    arch: /[a-z0-9_]{2,12}/,
    kernel: /[0-9]{1,3}(?:\.[0-9]{1,5}){1,3}[a-z0-9.+~-]{0,40}/,
    fleetAgent: FORM.version,
  },
  unit: {
    LoadState: /loaded|not-found|masked|error|bad-setting/,
    ActiveState: /active|inactive|activating|activated|deactivating|failed|reloading|maintenance/,
    /** Of a connection of NetworkManager. */
    Autoconnect: /yes|no/,
    SubState: /[a-z][a-z-]{1,30}/,
    Result: /[a-z][a-z-]{1,30}/,
    UnitFileState: /[a-z][a-z-]{1,30}|/,
    ExecMainStatus: /\d{1,3}/,
    NRestarts: /\d{1,9}/,
    NeedDaemonReload: /yes|no/,
  },
  /**
   * The tunnel's state and how many networks there are beside it. No address that is not the customer's own: not of the network that
   * the laptop is in, not of its other interfaces, and not the one that the slice's name led to here.
   */
  network: {
    tunnel: {
      up: 'boolean',
      inside: 'boolean',
      startsAtBoot: 'boolean',
      mtu: 'number',
      lastHandshakeSecondsAgo: 'number',
      rxBytes: 'number',
      txBytes: 'number',
      splitDns: 'boolean',
      endpointFamily: /ipv4|ipv6/,
    },
    local: { addresses: 'number', routes: 'number', nextHops: 'number' },
    overlaps: 'boolean',
  },
} as const satisfies Record<string, Allowed>;
