import { firmwareBytes } from '../key/state.ts';
import type { Command } from '../wire/apdu.ts';
import { StatusWordError, SW } from '../wire/status-word.ts';
import { moveKey, resetApplication, setRetries } from './administration.ts';
import { attestKey } from './attest-key.ts';
import type { PivContext } from './context.ts';
import { getData, putData } from './data-objects.ts';
import { generalAuthenticate } from './general-authenticate.ts';
import { generateKey } from './generate-key.ts';
import { importKey } from './import-key.ts';
import { setManagementKey } from './management-key.ts';
import { getMetadata } from './metadata.ts';
import { changeReference, unblockPin, verifyPin } from './pin.ts';

/** Carries out one command of the PIV application and returns its data; every other end is a `StatusWordError`. */
export async function runPivCommand(context: PivContext, command: Command): Promise<Buffer> {
  // PIN policy "always" counts for the very next command only, whatever that is.
  const pinFresh = context.session.pinFresh;
  context.session.pinFresh = false;
  switch (command.ins) {
    case 0x20:
      return verifyPin(context, command);
    case 0x24:
      return changeReference(context, command);
    case 0x2c:
      return unblockPin(context, command);
    case 0x47:
      return generateKey(context, command);
    case 0x87:
      return generalAuthenticate(context, command, pinFresh);
    case 0xcb:
      return getData(context, command);
    case 0xdb:
      return putData(context, command);
    case 0xf6:
      return moveKey(context, command);
    case 0xf7:
      return getMetadata(context, command);
    case 0xf8:
      return serialBytes(context);
    case 0xf9:
      return attestKey(context, command);
    case 0xfa:
      return setRetries(context, command);
    case 0xfb:
      return resetApplication(context);
    case 0xfd:
      return firmwareBytes(context.state);
    case 0xfe:
      return importKey(context, command);
    case 0xff:
      return setManagementKey(context, command);
    default:
      throw new StatusWordError(SW.unknownInstruction);
  }
}

function serialBytes(context: PivContext): Buffer {
  const serial = Buffer.alloc(4);
  serial.writeUInt32BE(context.state.serial);
  return serial;
}
