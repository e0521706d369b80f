import type { EndReason } from '../../protocol/device-messages.ts';
import { readSliceConfig } from '../config/slice-config.ts';
import type { TwoPersonFacts } from '../decisions/needs-two.ts';
import { operatorsNow } from '../approvals/operators-now.ts';
import type { OperatorParts } from './verbs/handlers.ts';

const DAY_MS = 86_400_000;

/**
 * How the slice is now: the setting may have been changed while it runs. What was changed by hand is in the audit before anything is
 * decided by it, so that no command can hide it.
 */
export async function twoPersonFacts(parts: OperatorParts): Promise<TwoPersonFacts> {
  await parts.settings.look();
  const [{ twoPersons: setting }, operators, yubikeys, devices] = await Promise.all([
    readSliceConfig(parts.paths.dir),
    operatorsNow(parts),
    parts.registry.listYubikeys(),
    parts.registry.listDevices(),
  ]);
  const since = parts.clock.now() - DAY_MS;
  const byOperator: readonly (EndReason | null)[] = ['lost', 'offboarded', 'churn'];
  return {
    setting,
    admins: operators.filter(({ role }) => role === 'admin').map(({ name }) => name),
    endedLately: devices.filter(({ endedAt, endReason }) => (endedAt ?? 0) > since && byOperator.includes(endReason))
      .length,
    liveYubikeys: yubikeys.filter(({ burnedAt }) => burnedAt === null).map(({ serial }) => serial),
  };
}
