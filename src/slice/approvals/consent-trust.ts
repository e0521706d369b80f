import { publicJwk } from '../../pki/keys.ts';
import { mayAsk } from '../decisions/may-ask.ts';
import type { ConsentTrust } from '../decisions/open-consent.ts';
import { operatorsNow, type OperatorSources } from './operators-now.ts';

/** Whose consents count now: the keys in slice.json, and the YubiKeys of operators who may consent. */
export async function consentTrust(sources: OperatorSources): Promise<ConsentTrust> {
  const { config } = sources;
  const withKeys = (await operatorsNow(sources)).filter(({ role }) => mayAsk(role, 'helpdesk'));
  return {
    slug: config.customer.slug,
    operators: [...config.operators, ...withKeys.map(({ name, publicKey }) => ({ name, key: publicJwk(publicKey) }))],
  };
}
