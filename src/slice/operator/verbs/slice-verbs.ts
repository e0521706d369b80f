import { base64url } from '../../../core/bytes.ts';
import type { Handlers, OperatorParts, VerbsOf } from './handlers.ts';

export function sliceVerbs({ config, identity }: OperatorParts): Handlers<VerbsOf<'slice'>> {
  return {
    'slice.about': (_given, { actor }) =>
      Promise.resolve({
        customer: config.customer,
        gatewayUrl: config.gateway.url,
        firmware: config.firmware,
        operator: { name: actor.name, role: actor.role },
        twoPersons: false,
        intermediate: base64url(identity.intermediate.der),
        root: base64url(identity.mspRoot.der),
        yubicoRoots: identity.yubicoRoots.map(({ der }) => base64url(der)),
      }),
  };
}
