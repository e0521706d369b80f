import type { Command } from '../wire/apdu.ts';
import { StatusWordError, SW } from '../wire/status-word.ts';
import { encodeTlv, findTlv, parseTlvs } from '../wire/tlv.ts';
import { requireManagementKey } from './access.ts';
import type { PivContext } from './context.ts';

const DISCOVERY = '7e';
const DISCOVERY_OBJECT = Buffer.from('7e124f0ba0000003080000100001005f2f024000', 'hex');
/** Printed information, fingerprints, face and iris are read with the PIN only (SP 800-73-4 part 1, table 2; Yubico's .NET manual). */
const READ_WITH_PIN = new Set(['5fc109', '5fc103', '5fc108', '5fc121']);
const LONGEST_OBJECT = 3052;

/** INS CB: the content of a data object, in a 53 TLV. */
export function getData(context: PivContext, command: Command): Buffer {
  requireDataParameters(command);
  const id = objectId(command.data);
  if (id === DISCOVERY) return DISCOVERY_OBJECT;
  // Before the object is looked for: without the PIN nobody learns whether it is there.
  if (READ_WITH_PIN.has(id) && !context.session.pinVerified) throw new StatusWordError(SW.securityNotSatisfied);
  const content = context.state.objects[id];
  if (content === undefined) throw new StatusWordError(SW.notFound);
  return encodeTlv(0x53, Buffer.from(content, 'hex'));
}

/** INS DB: writes a data object, or deletes it when the 53 TLV is empty. */
export function putData(context: PivContext, command: Command): Buffer {
  requireDataParameters(command);
  requireManagementKey(context);
  const id = objectId(command.data);
  if (!/^5f(?:c1|ff)[0-9a-f]{2}$/.test(id)) throw new StatusWordError(SW.notSupported);
  const content = findTlv(parseTlvs(command.data), 0x53);
  if (!content) throw new StatusWordError(SW.badData);
  if (content.length > LONGEST_OBJECT) throw new StatusWordError(SW.noSpace);
  const { state } = context;
  if (content.length === 0) {
    state.objects = Object.fromEntries(Object.entries(state.objects).filter(([key]) => key !== id));
  } else {
    state.objects[id] = content.toString('hex');
  }
  context.save();
  return Buffer.alloc(0);
}

function requireDataParameters(command: Command): void {
  if (command.p1 !== 0x3f || command.p2 !== 0xff) throw new StatusWordError(SW.wrongParameters);
}

function objectId(data: Buffer): string {
  const id = findTlv(parseTlvs(data), 0x5c);
  if (!id || id.length === 0) throw new StatusWordError(SW.badData);
  return id.toString('hex');
}
