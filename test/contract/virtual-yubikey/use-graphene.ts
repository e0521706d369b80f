// Run inside the sandbox by graphene.test.ts: a client program that does with a key what a PKCS#11 client can do.
import { verify, X509Certificate } from 'node:crypto';
import graphene, { type Session, type Slot } from 'graphene-pk11';

const [, , what = '', modulePath = '', pin = '', newPin = '', managementKey = ''] = process.argv;
const SLOT_9C = Buffer.of(2);
const P256 = Buffer.from('06082a8648ce3d030107', 'hex');
const PIN_FLAGS = 0x70000;

const module = graphene.Module.load(modulePath, 'ykcs11');
module.initialize();
try {
  const slot = module.getSlots(0, true);
  process.stdout.write(JSON.stringify(what === 'block' ? blockPin(slot) : useKey(slot)));
} finally {
  module.finalize();
}

function useKey(slot: Slot): object {
  const session = slot.open(graphene.SessionFlag.SERIAL_SESSION | graphene.SessionFlag.RW_SESSION);
  session.login(managementKey, graphene.UserType.SO);
  const pair = session.generateKeyPair(
    graphene.KeyGenMechanism.ECDSA,
    { id: SLOT_9C, token: true, paramsECDSA: P256 },
    { id: SLOT_9C, token: true },
  );
  const generated = (pair.privateKey.getAttribute('id') as Buffer).toString('hex');
  const attestation = findCertificate(session, false);
  session.create({
    class: graphene.ObjectClass.CERTIFICATE,
    certType: graphene.CertificateType.X_509,
    token: true,
    id: SLOT_9C,
    value: attestation,
  });
  const imported = findCertificate(session, true).equals(attestation);
  session.logout();

  session.login(pin, graphene.UserType.USER);
  const message = Buffer.from('signed by a key that nobody can copy');
  const keys = session.find({ class: graphene.ObjectClass.PRIVATE_KEY, id: SLOT_9C });
  const signer = session.createSign('ECDSA_SHA256', keys.items(0).toType<graphene.PrivateKey>());
  session.login(pin, graphene.UserType.CONTEXT_SPECIFIC);
  const signature = signer.once(message);
  const key = new X509Certificate(attestation).publicKey;
  session.setPin(pin, newPin);
  session.close();
  return {
    label: slot.getToken().label,
    generated,
    attestation: attestation.toString('base64'),
    imported,
    verified: verify('sha256', message, { key, dsaEncoding: 'ieee-p1363' }, signature),
  };
}

/** The attestation certificate has the same id as the imported one, but is no token object. */
function findCertificate(session: Session, token: boolean): Buffer {
  const found = session.find({ class: graphene.ObjectClass.CERTIFICATE, id: SLOT_9C, token });
  return found.items(0).getAttribute('value') as Buffer;
}

function blockPin(slot: Slot): object {
  const session = slot.open();
  const codes = [1, 2, 3, 4].map(() => {
    let code = 0;
    try {
      session.login('99999999', graphene.UserType.USER);
    } catch (error) {
      code = (error as { code: number }).code;
    }
    return [code, slot.getToken().flags & PIN_FLAGS];
  });
  return { codes };
}
