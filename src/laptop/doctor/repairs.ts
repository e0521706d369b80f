import { KiwiError } from '../../core/errors.ts';
import { openFiles } from '../checks/open-files.ts';
import { temporaryFiles } from '../checks/temporary-files.ts';
import { ENROLLMENT } from '../enrollment/plan.ts';
import { settleSignIn } from '../standing/settle-sign-in.ts';
import { tellFarewells } from '../standing/tell-farewells.ts';
import { inStateFolder } from '../state/in-state-folder.ts';
import type { EnrollmentRecord } from '../state/record.ts';
import type { LaptopContext } from '../system/laptop-context.ts';
import type { Platform } from '../system/platform.ts';
import { mend } from '../upkeep/mend.ts';
import { renew } from '../upkeep/renew.ts';
import { settleTunnel } from '../upkeep/settle-tunnel.ts';

/**
 * A repair that needs no decision of a person: it brings back what the enrollment had left, takes nothing away that is somebody
 * else's, and may be repeated. A check names it in its finding, and is carried out again afterwards.
 */
export interface Repair {
  readonly name: string;
  /** What it does: for the person, before it is done. */
  readonly does: string;
  readonly run: (context: LaptopContext, record: EnrollmentRecord) => Promise<void>;
}

/** In the order in which they are carried out. */
export const REPAIRS: readonly Repair[] = [
  {
    name: 'restrict-files',
    does: 'Give the files of the enrollment back to root, and let nobody else read what is secret.',
    run: alone(async ({ platform }, { slug }) => {
      for (const { file, mode } of (await openFiles(platform, slug)).open)
        await platform.caretaker.restrict(file, mode);
    }),
  },
  {
    name: 'remove-leftovers',
    does: 'Remove half written files that interrupted runs have left.',
    run: alone(async (context, { slug }) => {
      for (const file of await temporaryFiles(context, slug)) await context.platform.caretaker.remove(file);
    }),
  },
  {
    name: 'forget-secret',
    does: "Replace Fleet's enroll secret in the agent's settings.",
    run: alone(({ platform }) => platform.agent.forgetSecret()),
  },
  {
    name: 'install-roots',
    does: "Add the provider's root to the roots that the system trusts.",
    run: alone(async ({ platform, signal }, { slug }) => {
      const stored = await platform.certificates.load(slug);
      const issuers = stored?.roots.filter((root) => stored.intermediate.isSignedBy(root)) ?? [];
      await platform.trust.install(issuers, signal, 'again');
    }),
  },
  starting('start-timer', 'the timer of the hourly check', ({ checkTimer }) => checkTimer),
  starting('start-watcher', 'what watches the tunnel', ({ watcher }) => watcher),
  starting('start-agent-socket', 'the socket of the agent', ({ agentSocket }) => agentSocket),
  {
    name: 'settle-tunnel',
    does: 'Let either this program or the WireGuard app keep the tunnel.',
    run: alone(async (context, record) => {
      await settleTunnel(context, record);
    }),
  },
  {
    name: 'enable-tunnel',
    does: 'Let the tunnel start at boot.',
    run: alone(({ platform, signal }, { slug }) => platform.tunnel.enable(slug, signal)),
  },
  {
    name: 'restart-tunnel',
    does: 'Stop the tunnel and bring it up again from its profile.',
    run: alone(({ platform, signal }, { slug }) => platform.tunnel.restart(slug, signal)),
  },
  {
    name: 'mend-tunnel',
    does: "Look for the slice's present address, begin a new handshake, and fit the size of packets to this network.",
    run: async (context) => {
      const { error } = (await mend(context, 'asked')).tunnel;
      if (error !== undefined) throw error;
    },
  },
  {
    name: 'enable-agent',
    does: 'Let the Fleet agent start at boot.',
    run: ({ platform: { caretaker, units } }) => caretaker.enable(units.agent),
  },
  {
    name: 'restart-agent',
    does: 'Restart the Fleet agent.',
    run: ({ platform: { caretaker, units } }) => caretaker.restart(units.agent),
  },
  {
    name: 'renew-certificate',
    does: 'Renew the device certificate.',
    run: async (context) => {
      await renew(context);
    },
  },
  {
    name: 'give-certificate',
    does: "Give the device certificate and its key to the system's own programs again.",
    run: alone(({ platform }, { slug }) => platform.certificates.giveToSystem(slug)),
  },
  {
    name: 'set-up-sign-in',
    does: 'Ask the slice how people sign in, and set that up again.',
    run: alone((context, record) => settleSignIn(context, record, 'again')),
  },
  {
    name: 'restart-sign-in',
    does: 'Let what signs people in read the device certificate again.',
    run: alone(({ platform }) => platform.signIn.restart()),
  },
  {
    name: 'report-deregistration',
    does: 'Report the deregistration that is waiting to its slice.',
    run: alone(async (context) => {
      const failed = (await tellFarewells(context)).find(({ error }) => error !== undefined);
      if (failed?.error !== undefined) throw failed.error;
    }),
  },
];

/** While no other run works on the enrollment: what is broken may just have called the watcher's. */
function alone(run: Repair['run']): Repair['run'] {
  return (context, record) =>
    inStateFolder(
      context.platform.stateFolder,
      ENROLLMENT,
      async ({ file }) => {
        if ((await file.load())?.attemptId !== record.attemptId) throw new KiwiError('not-enrolled');
        await run(context, record);
      },
      context,
    );
}

/** A unit that is not running, or would not after a restart of the laptop. */
function starting(name: string, what: string, unitOf: (units: Platform['units']) => string): Repair {
  return {
    name,
    does: `Start ${what}, also at boot.`,
    run: async ({ platform: { caretaker, units } }) => {
      await caretaker.enable(unitOf(units));
      await caretaker.restart(unitOf(units));
    },
  };
}
