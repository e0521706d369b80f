import type { ShownStep, View } from '../../src/apps/desktop/view/view.ts';

const slice = { customer: 'Acme & Söhne GmbH', code: '428913' };
const error = {
  code: 'no-network',
  message: 'The slice cannot be reached.',
  hint: 'Check the network connection, then try again.',
  detail: 'enroll.acme.example: connection refused',
  requestId: '01JABCDEF',
};
const links = [
  { title: 'Portal', url: 'https://portal.acme.example/' },
  { title: 'Help & questions', url: 'https://help.acme.example/laptop' },
];
const steps: ShownStep[] = [
  { step: 'preflight', title: 'Check this laptop', state: 'done' },
  { step: 'key', title: 'Find the YubiKey', state: 'done' },
  { step: 'device-key', title: 'Create the device key', state: 'done' },
  { step: 'slice', title: "Verify the customer's slice", state: 'done' },
  { step: 'statement', title: 'Sign with the YubiKey', state: 'done' },
  { step: 'tunnel', title: 'Bring up the tunnel', state: 'running' },
];

const ended = steps.map((step) => (step.state === 'running' ? { ...step, state: 'failed' as const } : step));

const claimRetries = (code: string): View => ({
  page: 'claim',
  claim: {
    ...{ state: 'retries', customer: slice.customer, againInMinutes: 2 },
    error: { code, message: 'It is in the way.', hint: 'Do something.' },
  },
});

/** Each page once, and again where it looks otherwise. */
export const VIEWS: Readonly<Record<string, View>> = {
  looking: { page: 'looking' },
  welcome: { page: 'welcome', resumable: false },
  'welcome-resume': { page: 'welcome', resumable: true },
  key: { page: 'key', why: { code: 'key-absent', message: 'No YubiKey is plugged in.', hint: '' } },
  'key-other': { page: 'key', why: { code: 'key-not-enrolled', message: 'It has no certificate.', hint: '' } },
  'choose-key': {
    page: 'choose-key',
    keys: [
      { serial: 31_000_001, role: 'staff', customer: 'Acme' },
      { serial: 31_000_002, role: 'staff', customer: 'Beta' },
    ],
  },
  pin: { page: 'pin', slice, serial: 31_000_001, tries: 'ok' },
  'pin-wrong': {
    ...{ page: 'pin', slice, serial: 31_000_001, tries: 'low' },
    refused: { code: 'pin-wrong', message: 'The PIN is wrong.', hint: '' },
  },
  'pin-final': { page: 'pin', slice, serial: 31_000_001, tries: 'final' },
  touch: { page: 'touch', slice, endsAt: Date.now() + 3_600_000 },
  progress: { page: 'progress', steps },
  undoing: { page: 'undoing', steps: steps.map((step) => ({ ...step, state: 'undone' as const })) },
  done: { page: 'done', customer: slice.customer, hostName: 'ada-laptop', links },
  'done-without-links': { page: 'done', customer: slice.customer, hostName: 'ada-laptop', links: [] },
  failed: { page: 'failed', error, steps: ended, undone: 'yes' },
  'failed-unknown': { page: 'failed', error, steps: ended, undone: 'unknown' },
  cancelled: {
    page: 'failed',
    error: { code: 'cancelled', message: 'Cancelled.', hint: '' },
    steps: [],
    undone: 'yes',
  },
  status: {
    page: 'status',
    status: {
      ...{ customer: slice.customer, hostName: 'ada-laptop', healthy: false, tunnel: 'silent', fleet: 'online' },
      ...{ certificateUntil: '2026-11-28T08:00:00Z', renewal: '2026-11-27T20:00:00Z', links },
      checks: [
        { code: 'a', severity: 'failure', state: 'well', what: 'The tunnel is up', saw: 'it is', repairable: false },
        {
          code: 'b',
          severity: 'failure',
          state: 'not-well',
          what: 'The tunnel answers',
          saw: 'no answer for 3 min',
          error: {
            code: 'tunnel-altered',
            message: 'The tunnel is not as it was granted.',
            hint: '',
            detail: 'MTU 9000',
          },
          repairable: true,
        },
        {
          code: 'c',
          severity: 'warning',
          state: 'not-looked-at',
          what: 'Names inside',
          saw: 'the tunnel is silent',
          repairable: false,
        },
      ],
    },
  },
  'status-well': {
    page: 'status',
    status: {
      ...{ customer: 'Acme', hostName: 'ada-laptop', healthy: true, tunnel: 'up', fleet: 'online' },
      ...{ certificateUntil: '2026-11-28T08:00:00Z', renewal: '2026-11-27T20:00:00Z', checks: [], links },
    },
  },
  'status-repaired': {
    page: 'status',
    notice: { what: 'repaired', count: 2 },
    status: {
      ...{ customer: 'Acme', hostName: 'ada-laptop', healthy: true, tunnel: 'up', fleet: 'online' },
      ...{ certificateUntil: '2026-11-28T08:00:00Z', renewal: '2026-11-27T20:00:00Z', links: [] },
      checks: [],
    },
  },
  repairing: {
    page: 'repairing',
    steps: [
      { step: 'restrict-files', title: 'Set owner and mode of the files', state: 'done' },
      { step: 'raise-tunnel', title: 'Bring up the tunnel', state: 'running' },
    ],
  },
  'report-making': { page: 'report', customer: '' },
  report: {
    page: 'report',
    customer: slice.customer,
    files: [
      { name: 'enrollment.json', why: 'how this laptop is enrolled', text: '{\n  "state": "active"\n}' },
      { name: 'journal.json', why: 'what the program logged', text: '[]' },
    ],
  },
  'status-mac': {
    page: 'status',
    status: {
      ...{ customer: 'Acme', hostName: 'ada-laptop', healthy: true, tunnel: 'up', keeper: 'daemon', fleet: 'online' },
      ...{ certificateUntil: '2026-11-28T08:00:00Z', renewal: '2026-11-27T20:00:00Z', links: [] },
      checks: [],
    },
  },
  'status-app': {
    page: 'status',
    notice: { what: 'kept', by: 'app' },
    status: {
      ...{ customer: 'Acme', hostName: 'ada-laptop', healthy: true, tunnel: 'up', keeper: 'app', fleet: 'online' },
      ...{ certificateUntil: '2026-11-28T08:00:00Z', renewal: '2026-11-27T20:00:00Z', links: [] },
      checks: [],
    },
  },
  'tunnel-app': { page: 'tunnel-app' },
  'tunnel-app-install': { page: 'tunnel-app', waitsFor: 'app' },
  'tunnel-app-approve': { page: 'tunnel-app', waitsFor: 'approval' },
  'tunnel-app-changes': { page: 'tunnel-app', waitsFor: 'hand-over' },
  claim: { page: 'claim', claim: { state: 'working' } },
  'claim-working': {
    page: 'claim',
    claim: {
      ...{ state: 'working', customer: slice.customer },
      step: { step: 'tunnel', title: 'Bring up the tunnel' },
    },
  },
  'claim-digits': { page: 'claim', claim: { state: 'waits', customer: slice.customer, code: slice.code } },
  'claim-waits': { page: 'claim', claim: { state: 'waits', customer: slice.customer } },
  'claim-network': claimRetries('gateway-unreachable'),
  'claim-portal': claimRetries('gateway-answer-invalid'),
  'claim-proxy': claimRetries('proxy-authentication'),
  'claim-clock': claimRetries('gateway-tls-dates'),
  'claim-other': claimRetries('slice-busy'),
  'claim-refused': {
    page: 'claim',
    claim: {
      ...{ state: 'refused', customer: slice.customer },
      error: { code: 'claim-token-expired', message: 'The token of this laptop has expired.', hint: 'Ask.' },
    },
  },
  'claim-ready': { page: 'claim', claim: { state: 'claimed', customer: slice.customer } },
  left: { page: 'left', customer: 'Acme', told: false },
  unavailable: { page: 'unavailable', error: { code: 'agent-unavailable', message: 'It is not there.', hint: '' } },
  untrusted: { page: 'unavailable', error: { code: 'agent-untrusted', message: 'Not the system’s.', hint: '' } },
};
