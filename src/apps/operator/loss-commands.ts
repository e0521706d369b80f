import { Option, type Command } from 'commander';

import type { DeviceReport } from '../../protocol/device-report.ts';
import type { OperatorSlice } from '../../protocol/operator-verbs.ts';
import { carryOut, numberUpTo } from '../../terminal/carry-out.ts';
import { printJson } from '../../terminal/report.ts';
import { askConfirmation } from './ask-confirmation.ts';
import { onSlice, withSlice, type Flags } from './on-slice.ts';
import { renderLine } from './render-report.ts';
import { standOf, type Line } from './stand-of-loss.ts';

type LossFlags = Flags & { readonly why: string; readonly wait: number; readonly yes?: boolean };

/** So often the registry is read while somebody waits. */
const LOOK_MS = 500;
const MAX_WAIT = 86_400;

const ACTION = {
  wipe: 'Fleet erases it as soon as it is online',
  lock: 'Fleet locks it as soon as it is online',
} as const;

/** `device lost`, `wipe` and `lock`: everything about a laptop that is lost or stolen, as one act. */
export function addLossCommands(device: Command): void {
  const waiting = (command: Command): Command =>
    onSlice(command)
      .option('--why <text>', 'what happened, for the audit', 'reported lost')
      .option('--wait <seconds>', 'how long to follow what the slice does', numberUpTo(MAX_WAIT), 20)
      .option('--yes', 'do not ask for confirmation');
  waiting(device.command('lost <device>'))
    .description(
      'Report a laptop lost or stolen: revoke its certificates, close its tunnel, replace the enroll secret, disable its directory entry, mark its recovery key',
    )
    .addOption(new Option('--wipe', 'have Fleet erase it').conflicts('lock'))
    .addOption(new Option('--lock', 'have Fleet lock it; what is on its disk stays'))
    .action((name: string, flags: LossFlags & { wipe?: boolean; lock?: boolean }) => {
      const action = flags.wipe === true ? 'wipe' : flags.lock === true ? 'lock' : undefined;
      return carryOut(flags.json === true, () => lose(name, action, flags));
    });
  for (const action of ['wipe', 'lock'] as const) {
    waiting(device.command(`${action} <device>`))
      .description(`Have Fleet ${action} a laptop; it is reported lost with that, if it was not`)
      .action((name: string, flags: LossFlags) => carryOut(flags.json === true, () => lose(name, action, flags)));
  }
}

async function lose(name: string, action: keyof typeof ACTION | undefined, flags: LossFlags): Promise<number> {
  return withSlice(flags, async (slice) => {
    const { hostName, id, state } = await slice.ask('device.find', { device: name });
    const what = `${hostName} (${id}, ${state}) will be reported lost: its certificates are revoked, its tunnel closes${
      action === undefined ? '' : `, and ${ACTION[action]}`
    }. It enrolls again only with your consent.`;
    await askConfirmation(what, hostName, flags);
    const wish = { device: id, why: flags.why, ...(action === undefined ? {} : { action }) };
    const first = await slice.ask('device.lose', wish);
    const last = await follow(slice, first, flags);
    const settled = standOf(last).every(({ mark }) => mark !== '…');
    if (flags.json === true) printJson({ type: 'result', result: 'lost', settled, ...last });
    else if (!settled) {
      process.stdout.write(
        `The slice goes on with the rest while it runs: \`kiwistack-operator device show ${hostName}\` says how far it is.\n`,
      );
    }
    return 0;
  });
}

/** Says what has been done, line by line, until all is or the time is over. */
async function follow(slice: OperatorSlice, first: DeviceReport, flags: LossFlags): Promise<DeviceReport> {
  const until = performance.now() + flags.wait * 1000;
  const said = new Map<string, string>();
  const say = (lines: readonly Line[]): void => {
    for (const line of lines) {
      const text = renderLine(line);
      if (said.get(line.what) === text) continue;
      said.set(line.what, text);
      if (flags.json !== true) process.stdout.write(text);
    }
  };
  if (flags.json !== true) process.stdout.write(`${first.device.hostName} (${first.device.id}) is reported lost.\n`);
  for (let report = first; ; report = await slice.ask('device.report', { device: report.device.id })) {
    const lines = standOf(report);
    say(lines);
    if (lines.every(({ mark }) => mark !== '…') || performance.now() >= until) return report;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}
