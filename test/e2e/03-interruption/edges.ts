import { stepsIn } from '../../../src/laptop/pipeline/run-plan.ts';
import { ENROLLMENT_PLAN } from '../../../src/laptop/enrollment/plan.ts';

// The edges of an enrollment: every place where it can be cut off. The tests walk this list, docs/reliability.md is made from
// it, and a test holds it against what an enrollment really passes.

/** A place between two acts, by the name that `faultPoint` has for it. */
export interface Edge {
  readonly point: string;
  readonly step: string;
  /** What a crash here leaves on the laptop, beside what the steps before made. */
  readonly leaves: string;
  /** What the next run does about it. */
  readonly next: string;
}

interface Replacement {
  /** As in the names of points; `*` stands for the root's own name. */
  readonly file: string;
  /** Which replacement of this file it is in an enrollment. */
  readonly count: number;
  readonly what: string;
}

interface StepEdges {
  readonly files: readonly Replacement[];
  /** What the step's act makes. */
  readonly makes: string;
  /** What the next run does when the act was done and not noted down. */
  readonly again: string;
}

const record = (count: number, what: string): Replacement => ({ file: 'enrollment.json', count, what });

const STEPS: Readonly<Record<string, StepEdges>> = {
  preflight: { files: [], makes: 'nothing', again: 'checks again' },
  key: {
    files: [record(1, 'the record: whose key it is')],
    makes: 'a record without an exchange',
    again: 'looks for the key again and begins the record anew',
  },
  'device-key': {
    files: [{ file: 'acme.key', count: 1, what: 'the device key' }],
    makes: 'the device key, known to nobody else yet',
    again: 'uses the key that is there',
  },
  slice: {
    files: [record(2, 'hello and challenge')],
    makes: 'a challenge in the record; a session at the slice, which ends by itself after five minutes',
    again: 'says hello anew',
  },
  statement: {
    files: [record(3, 'the signed statement'), record(4, 'the grant')],
    makes:
      'the grant in the record, encrypted to the device key; at the slice a device that waits for its confirmation',
    again: 'uses the signature that is there: no PIN, no touch; the slice gives the same grant again',
  },
  grant: {
    files: [record(5, 'the device')],
    makes: "the device's name and address in the record",
    again: 'checks the grant again',
  },
  certificate: {
    files: [
      { file: 'acme.crt', count: 1, what: 'the device certificate with its intermediate' },
      { file: 'root_ca.crt', count: 1, what: 'the root' },
    ],
    makes: 'certificate and root in /etc/step/certs',
    again: 'finds them whole and keeps them',
  },
  trust: {
    files: [
      { file: 'kiwistack-root-*.crt', count: 1, what: "the root among the administrator's own" },
      { file: 'ca-certificates.crt', count: 1, what: 'the bundle of all roots' },
    ],
    makes: "the root in the system's trust store",
    again: 'finds the root in the bundle and keeps it',
  },
  tunnel: {
    files: [
      {
        file: '10-kiwistack-userspace.conf',
        count: 1,
        what: 'which WireGuard the unit takes (without a kernel module)',
      },
      { file: 'kiwi-acme.conf', count: 1, what: "the tunnel's configuration" },
    ],
    makes: 'the tunnel, up and started at boot',
    again: 'leaves a tunnel that is up as it should be alone, and looks whether it answers',
  },
  agent: {
    files: [
      { file: 'fleet.pem', count: 1, what: "the root of the Fleet server's certificate" },
      { file: 'enroll.env', count: 1, what: "the agent's settings" },
      { file: '10-fleet-enroll.conf', count: 1, what: 'the drop-in of its unit' },
    ],
    makes: 'the Fleet agent, enrolled on its first plane',
    again: 'finds it running and keeps it',
  },
  confirm: {
    files: [record(6, 'that the confirmation is being sent')],
    makes: 'an active device at the slice',
    again: 'confirms again: the slice takes it once more',
  },
  green: {
    files: [
      { file: 'enroll.env', count: 2, what: "the agent's settings without the secret" },
      record(7, 'the final record'),
    ],
    makes: 'a final record: the laptop is enrolled',
    again: 'says that the laptop is enrolled',
  },
};

/** Every edge, in the order of the plan. */
export const EDGES: readonly Edge[] = stepsIn(ENROLLMENT_PLAN).flatMap(({ name }) => edgesOf(name));

function edgesOf(step: string): Edge[] {
  const edges = STEPS[step];
  if (edges === undefined) throw new TypeError(`the step ${step} has no edges`);
  const { files, makes, again } = edges;
  const edge = (point: string, leaves: string, next: string): Edge => ({ point, step, leaves, next });
  return [
    edge(`${step}:before-intent#1`, 'nothing', 'carries out the step'),
    edge(`${step}:after-intent#1`, 'a line in the journal', 'carries out the step'),
    ...files.flatMap(({ file, count, what }) => {
      const point = (phase: string): string => `file:${file}:${phase}#${count}`;
      return [
        edge(point('created'), `an empty temporary file for ${what}`, 'takes it away and writes the file'),
        edge(
          point('written'),
          `a temporary file with ${what}; the old file, if any`,
          'takes it away and writes the file',
        ),
        edge(point('renamed'), `${what}; after a power cut perhaps still the old file`, 'goes by what the file says'),
      ];
    }),
    edge(`${step}:after-act#1`, makes, again),
    edge(`${step}:after-outcome#1`, `${makes}; noted in the journal`, again),
  ];
}

interface UndoEdges {
  /** The files that it removes, or replaces for a moment, in their order. */
  readonly files: readonly { readonly file: string; readonly phases: readonly Phase[] }[];
  readonly takes: string;
}
type Phase = 'created' | 'written' | 'renamed' | 'removed';
const removed = (file: string): UndoEdges['files'][number] => ({ file, phases: ['removed'] });

const UNDO_STEPS: Readonly<Record<string, UndoEdges>> = {
  agent: {
    files: [removed('10-fleet-enroll.conf'), removed('fleet.pem'), removed('enroll.env')],
    takes: 'the Fleet agent, its settings and its keys',
  },
  tunnel: { files: [removed('kiwi-acme.conf')], takes: 'the tunnel and its configuration' },
  trust: {
    files: [
      removed('kiwistack-root-*.crt'),
      { file: 'ca-certificates.conf', phases: ['created', 'written', 'renamed'] },
    ],
    takes: "the root from the system's trust store",
  },
  'device-key': {
    files: [removed('root_ca.crt'), removed('acme.crt'), removed('acme.key')],
    takes: 'device key, certificate and root from /etc/step/certs',
  },
};

/** What an uninstall passes, in its order: the goodbye, the undo of the steps, and at last its own record. */
export const UNDO_EDGES: readonly Edge[] = [
  ...(['created', 'written', 'renamed'] as const).map((phase) => ({
    point: `file:farewell.json:${phase}#1`,
    step: 'goodbye',
    leaves: `the enrollment as it was; the goodbye to the slice, signed, is being written (${phase})`,
    next: 'says goodbye and takes everything away; said twice it counts once',
  })),
  ...Object.entries(UNDO_STEPS).flatMap(([step, undo]) => undoEdgesOf(step, undo)),
  ...['enrollment.json', 'journal.jsonl', 'farewell.json'].map((file) => ({
    point: `file:${file}:removed#1`,
    step: 'the end',
    leaves: `nothing of the enrollment but what is removed after ${file}`,
    next: 'removes that; after the last there is nothing to do',
  })),
];

function undoEdgesOf(step: string, { files, takes }: UndoEdges): Edge[] {
  const edge = (point: string, leaves: string, next: string): Edge => ({ point, step, leaves, next });
  const rest = (file: string): string => `a part of it; ${file} is through`;
  return [
    edge(`undo:${step}:before-intent#1`, takes, 'takes it away'),
    edge(`undo:${step}:after-intent#1`, `${takes}; a line in the journal`, 'takes it away'),
    ...files.flatMap(({ file, phases }) =>
      phases.map((phase) => edge(`file:${file}:${phase}#1`, rest(file), 'takes the rest away')),
    ),
    edge(`undo:${step}:after-act#1`, 'nothing of it', 'finds nothing to take away'),
    edge(`undo:${step}:after-outcome#1`, 'nothing of it; noted in the journal', 'goes on with the next'),
  ];
}
