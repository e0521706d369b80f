import { base64url } from '../../../core/bytes.ts';
import type { Handlers, OperatorParts, VerbsOf } from './handlers.ts';

export function sliceVerbs({ config, identity }: OperatorParts): Handlers<VerbsOf<'slice'>> {
  return {
    'slice.about': () =>
      Promise.resolve({
        customer: config.customer,
        gatewayUrl: config.gateway.url,
        firmware: config.firmware,
        root: base64url(identity.mspRoot.der),
        yubicoRoots: identity.yubicoRoots.map(({ der }) => base64url(der)),
      }),
  };
}
