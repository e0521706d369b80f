import { stepsIn } from '../../../src/laptop/pipeline/run-plan.ts';
import { ENROLLMENT_PLAN } from '../../../src/laptop/enrollment/plan.ts';

// The edges of an enrollment: every place where it can be interrupted. The tests go through this list, docs/reliability.md is
// made from it, and a test compares it with what an enrollment really passes.

/** A place between two acts, with its name in `faultPoint`. */
export interface Edge {
  readonly point: string;
  readonly step: string;
  /** What a crash here leaves on the laptop, in addition to the results of earlier steps. */
  readonly leaves: string;
  /** What the next run does about it. */
  readonly next: string;
}

interface Replacement {
  /** As in the names of points; `*` stands for the name of the root. */
  readonly file: string;
  /** Counts the replacements of this file in an enrollment. */
  readonly count: number;
  readonly what: string;
}

interface StepEdges {
  readonly files: readonly Replacement[];
  /** What the step's act creates. */
  readonly makes: string;
  /** What the next run does if the act was done but not journalled. */
  readonly again: string;
}

const record = (count: number, what: string): Replacement => ({ file: 'enrollment.json', count, what });

const STEPS: Readonly<Record<string, StepEdges>> = {
  preflight: { files: [], makes: 'nothing', again: 'checks again' },
  key: {
    files: [record(1, 'the record with key and customer')],
    makes: 'a record without an exchange',
    again: 'looks for the key again and starts a new record',
  },
  'device-key': {
    files: [{ file: 'acme.key', count: 1, what: 'the device key' }],
    makes: 'the device key, which nobody else knows yet',
    again: 'uses the key that is there',
  },
  slice: {
    files: [record(2, 'hello and challenge')],
    makes: 'a challenge in the record, and a session at the slice, which expires after five minutes',
    again: 'sends a new hello',
  },
  statement: {
    files: [record(3, 'the signed statement'), record(4, 'the grant')],
    makes: 'the grant in the record, encrypted to the device key, and a pending device at the slice',
    again: 'sends the stored statement again, without PIN and touch; the slice answers with the same grant',
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
    again: 'finds them complete and keeps them',
  },
  trust: {
    files: [
      { file: 'kiwistack-root-*.crt', count: 1, what: "the root in the administrator's folder" },
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
        what: 'the choice of wireguard-go for the unit (without a kernel module)',
      },
      { file: 'kiwi-acme.conf', count: 1, what: "the tunnel's configuration" },
    ],
    makes: 'the tunnel, which is up and starts at boot',
    again: 'keeps a running tunnel with the right settings, and checks that it answers',
  },
  agent: {
    files: [
      { file: 'fleet.pem', count: 1, what: "the root of the Fleet server's certificate" },
      { file: 'enroll.env', count: 1, what: "the agent's settings" },
      { file: '10-fleet-enroll.conf', count: 1, what: 'the drop-in of its unit' },
    ],
    makes: 'the Fleet agent, with orbit enrolled',
    again: 'finds it running and keeps it',
  },
  confirm: {
    files: [record(6, 'the record that the confirmation is being sent')],
    makes: 'an active device at the slice',
    again: 'confirms again, which the slice accepts',
  },
  green: {
    files: [
      { file: 'enroll.env', count: 2, what: "the agent's settings without the secret" },
      record(7, 'the final record'),
    ],
    makes: 'a final record: the laptop is enrolled',
    again: 'reports that the laptop is enrolled',
  },
};

/** Every edge, in the order of the plan. */
export const EDGES: readonly Edge[] = stepsIn(ENROLLMENT_PLAN)
  // Carried out only where somebody wants it.
  .filter((step) => step.applies === undefined)
  .flatMap(({ name }) => edgesOf(name));

function edgesOf(step: string): Edge[] {
  const edges = STEPS[step];
  if (edges === undefined) throw new TypeError(`the step ${step} has no edges`);
  const { files, makes, again } = edges;
  const edge = (point: string, leaves: string, next: string): Edge => ({ point, step, leaves, next });
  return [
    edge(`${step}:before-intent#1`, 'nothing', 'carries out the step'),
    edge(`${step}:after-intent#1`, 'its intent in the journal', 'carries out the step'),
    ...files.flatMap(({ file, count, what }) => {
      const point = (phase: string): string => `file:${file}:${phase}#${count}`;
      return [
        edge(point('created'), `an empty temporary file for ${what}`, 'removes it and writes the file'),
        edge(
          point('written'),
          `a temporary file with ${what}, and the old file, if any`,
          'removes it and writes the file',
        ),
        edge(
          point('renamed'),
          `${what}, or after a power cut perhaps still the old file`,
          'continues from what the file says',
        ),
      ];
    }),
    edge(`${step}:after-act#1`, makes, again),
    edge(`${step}:after-outcome#1`, `${makes}; its outcome is in the journal`, again),
  ];
}

const renewedFile = (file: string, what: string, next: string): Edge[] => [
  { point: `file:${file}:created#1`, step: 'renewal', leaves: `an empty temporary file for ${what}`, next },
  { point: `file:${file}:written#1`, step: 'renewal', leaves: `a temporary file with ${what}, and the old file`, next },
  {
    point: `file:${file}:renamed#1`,
    step: 'renewal',
    leaves: `${what}, or after a power cut perhaps still the old file`,
    next,
  },
];
const ANEW = 'renews again, as after a lost answer: the slice gives the next number';

/** The edges of a renewal, in order. What it leaves always works: the old certificate, or the new one. */
export const RENEWAL_EDGES: readonly Edge[] = [
  { point: 'renewal:before-request#1', step: 'renewal', leaves: 'nothing', next: 'renews' },
  { point: 'renewal:after-answer#1', step: 'renewal', leaves: 'the old certificate; the answer is lost', next: ANEW },
  ...renewedFile('acme.crt', 'the new certificate with its intermediate', ANEW),
  ...renewedFile('root_ca.crt', 'the root, as it was', ANEW),
  {
    point: 'renewal:after-certificate#1',
    step: 'renewal',
    leaves: 'the new certificate, with the old number',
    next: ANEW,
  },
  ...renewedFile('enrollment.json', 'the record with the new number', ANEW),
  {
    point: 'renewal:after-record#1',
    step: 'renewal',
    leaves: 'the renewed certificate',
    next: 'renews when it is due',
  },
  ...renewedFile('seen.json', 'what this laptop has seen of the slice', 'renews when it is due'),
];

interface UndoEdges {
  /** The files that it removes or replaces, in order. */
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
    takes: "the root in the system's trust store",
  },
  'device-key': {
    files: [removed('root_ca.crt'), removed('acme.crt'), removed('acme.key')],
    takes: 'device key, certificate and root in /etc/step/certs',
  },
};

/** The edges of an uninstall, in order: the deregistration, the undo of the steps, and finally its own record. */
export const UNDO_EDGES: readonly Edge[] = [
  ...(['created', 'written', 'renamed'] as const).map((phase) => ({
    point: `file:farewell.json:${phase}#1`,
    step: 'deregistration',
    leaves: `the enrollment as it was; the signed deregistration is being written (${phase})`,
    next: 'deregisters and removes everything; deregistering twice changes nothing',
  })),
  ...Object.entries(UNDO_STEPS).flatMap(([step, undo]) => undoEdgesOf(step, undo)),
  ...['enrollment.json', 'journal.jsonl', 'farewell.json'].map((file) => ({
    point: `file:${file}:removed#1`,
    step: 'end',
    leaves: `nothing of the enrollment but the files that are removed after ${file}`,
    next: 'removes these; after the last one, there is nothing to do',
  })),
];

function undoEdgesOf(step: string, { files, takes }: UndoEdges): Edge[] {
  const edge = (point: string, leaves: string, next: string): Edge => ({ point, step, leaves, next });
  const rest = (file: string, phase: Phase): string => `part of it; ${file} was ${phase}`;
  return [
    edge(`undo:${step}:before-intent#1`, takes, 'removes it'),
    edge(`undo:${step}:after-intent#1`, `${takes}; its intent is in the journal`, 'removes it'),
    ...files.flatMap(({ file, phases }) =>
      phases.map((phase) => edge(`file:${file}:${phase}#1`, rest(file, phase), 'removes the rest')),
    ),
    edge(`undo:${step}:after-act#1`, 'nothing of it', 'finds nothing to remove'),
    edge(`undo:${step}:after-outcome#1`, 'nothing of it; its outcome is in the journal', 'continues with the next'),
  ];
}
