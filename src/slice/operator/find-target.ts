import { KiwiError } from '../../core/errors.ts';
import type {
  Approval,
  AuditRecord,
  ClaimRequest,
  ClaimToken,
  Consent,
  Device,
  KeptRecoveryKey,
  Operator,
  Registry,
  SentBundle,
  Yubikey,
} from '../registry/registry.ts';
import { byId } from './by-id.ts';

/** @throws KiwiError `usage` */
export async function findOperator(registry: Registry, name: string): Promise<Operator> {
  const found = (await registry.listOperators()).find((one) => one.removedAt === null && one.name === name);
  if (found !== undefined) return found;
  throw new KiwiError('usage', { detail: `no operator ${name}`, hint: 'See `kiwistack-operator operator list`.' });
}

/** The key of a YubiKey that enrolls laptops would overwrite an operator's. @throws KiwiError `operator-exists` */
export function requireNoOperators(
  operators: readonly Pick<Operator, 'name' | 'removedAt' | 'yubikeySerial'>[],
  serial: number,
): void {
  const found = operators.find((one) => one.removedAt === null && one.yubikeySerial === serial);
  if (found !== undefined) throw new KiwiError('operator-exists', { detail: `${found.name}, YubiKey ${serial}` });
}

/** An alarm that nobody has acknowledged. @throws KiwiError `usage` */
export async function findOpenAlarm(registry: Registry, alarm: number): Promise<AuditRecord> {
  const found = (await registry.listAlarms()).find(({ id }) => id === alarm);
  if (found !== undefined) return found;
  throw new KiwiError('usage', { detail: `no open alarm ${alarm}`, hint: 'See `kiwistack-operator alarm list`.' });
}

/** One that was not used. @param given its id, or the beginning of that @throws KiwiError `consent-refused` */
export async function findOpenConsent(registry: Registry, given: string): Promise<Consent> {
  const found = byId(await registry.listConsents(), given);
  if (found?.usedAt === null) return found;
  throw new KiwiError('consent-refused', { detail: `no unused consent ${given}` });
}

/** @throws KiwiError `approval-unknown` */
export async function findOpenApproval(registry: Registry, id: string): Promise<Approval> {
  const found = await registry.findApproval(id);
  if (found?.state === 'open') return found;
  throw new KiwiError('approval-unknown', { detail: id });
}

/** A claim that waits. @param given its code, which the person at the laptop reads aloud, or its id @throws KiwiError `claim-unknown`, `usage` */
export async function findClaim(registry: Registry, given: string, now: number): Promise<ClaimRequest> {
  const claims = (await registry.listClaims(now)).map((claim) => ({ ...claim, id: claim.sessionId }));
  const [byCode, ...others] = claims.filter(({ code }) => code === given.replaceAll(' ', ''));
  if (others.length > 0)
    throw new KiwiError('usage', { detail: `${others.length + 1} laptops have the code ${given}` });
  const claim = byCode ?? byId(claims, given);
  if (claim === undefined) throw new KiwiError('claim-unknown', { detail: given });
  return claim;
}

/** @param given the serial number of its laptop, or its id @throws KiwiError `token-unknown` */
export async function findClaimToken(registry: Registry, given: string): Promise<ClaimToken> {
  const tokens = await registry.listTokens();
  const ofSerial = tokens.filter((token) => token.serial.toLowerCase() === given.toLowerCase());
  // Of a laptop that was delivered twice, the newer one.
  const token = ofSerial.toSorted((a, b) => b.createdAt - a.createdAt)[0] ?? byId(tokens, given);
  if (token === undefined) throw new KiwiError('token-unknown', { detail: given });
  return token;
}

/** @throws KiwiError `usage` */
export async function findBundle(registry: Registry, id: number): Promise<SentBundle & { readonly text: string }> {
  const found = await registry.findBundle(id);
  if (found !== undefined) return found;
  throw new KiwiError('usage', { detail: `no bundle ${id}`, hint: 'See `kiwistack-operator bundle list`.' });
}

/** @throws KiwiError `yubikey-unregistered` */
export async function findYubikey(registry: Registry, serial: number): Promise<Yubikey> {
  const found = await registry.findYubikey(serial);
  if (found !== undefined) return found;
  throw new KiwiError('yubikey-unregistered', {
    detail: `serial ${serial}`,
    hint: 'See `kiwistack-operator yubikey list`.',
  });
}

/** @param generation undefined for the newest @throws KiwiError `recovery-key-unknown` */
export async function findRecoveryKey(
  registry: Registry,
  { id, hostName }: Pick<Device, 'id' | 'hostName'>,
  generation: number | undefined,
): Promise<KeptRecoveryKey> {
  const kept = (await registry.listRecoveryKeys(id)).find(
    (one) => generation === undefined || one.generation === generation,
  );
  if (kept !== undefined) return kept;
  throw new KiwiError('recovery-key-unknown', {
    detail: generation === undefined ? hostName : `${hostName}, number ${generation}`,
  });
}
