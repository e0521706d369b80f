import type { Command } from '../wire/apdu.ts';
import { StatusWordError, SW } from '../wire/status-word.ts';
import { encodeTlv, findTlv, parseTlvs, unwrapTlv } from '../wire/tlv.ts';
import { requirePin, requireTouch } from './access.ts';
import type { PivContext } from './context.ts';
import { authenticateManagementKey } from './management-key.ts';
import { ATTESTATION_SLOT, MANAGEMENT_SLOT, slotName } from './slots.ts';
import { agreeOnSecret, signChallenge } from './use-private-key.ts';

/** INS 87: the private key operation of a slot, or the authentication of the management key (slot 9B). */
export async function generalAuthenticate(context: PivContext, command: Command, pinFresh: boolean): Promise<Buffer> {
  const tlvs = parseTlvs(unwrapTlv(command.data, 0x7c));
  if (command.p2 === MANAGEMENT_SLOT) return authenticateManagementKey(context, command.p1, tlvs);
  const slot = slotName(command.p2);
  // Whoever could have f9 sign a block of their own would write attestations with it.
  if (slot === ATTESTATION_SLOT) throw new StatusWordError(SW.wrongP1P2);
  const key = context.state.slots[slot];
  if (!key) throw new StatusWordError(SW.badData);
  if (key.algorithm !== command.p1) throw new StatusWordError(SW.wrongP1P2);
  const challenge = findTlv(tlvs, 0x81);
  const point = findTlv(tlvs, 0x85);
  if (!challenge && !point) throw new StatusWordError(SW.badData);
  requirePin(context, key.pinPolicy, pinFresh);
  await requireTouch(context, key.touchPolicy);
  const answer = challenge ? signChallenge(key, challenge) : agreeOnSecret(key, point ?? Buffer.alloc(0));
  return encodeTlv(0x7c, encodeTlv(0x82, answer));
}
