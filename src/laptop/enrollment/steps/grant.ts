import { FIRST_CERTIFICATE } from '../../../protocol/renewal.ts';
import { beginDownload } from './agent.ts';
import { refuseOverlap } from '../refuse-overlap.ts';
import type { EnrollmentStep } from '../enrollment-run.ts';

/**
 * Compares the grant with the request; only a grant that passes puts a device into the record. A crash leaves a record
 * without one. A resumed run finds the device and checks the grant again.
 */
export const grant: EnrollmentStep = {
  name: 'grant',
  title: "Check the slice's grant",
  inspect: ({ record }) => Promise.resolve(record.device === undefined ? 'absent' : 'done'),
  async apply(run) {
    const { grant: granted } = await run.granted();
    await run.save({
      device: {
        deviceId: granted.deviceId,
        hostName: granted.hostName,
        address: granted.wireguard.address,
        probe: granted.wireguard.probe,
        keyKind: (await run.deviceKey()).kind,
        fleetUrl: granted.fleet.url,
        tunnel: {
          networks: [...granted.wireguard.allowedCidrs, `${granted.wireguard.address}/32`],
          endpoints: granted.wireguard.endpoints,
        },
        fingerprintSalt: run.opened().challenge.fingerprintSalt,
        intermediate: run.opened().intermediate.pem,
        confirmed: false,
        enrolledAt: granted.issuedAt,
        certificate: { number: FIRST_CERTIFICATE, renewAfter: granted.certificate.renewAfter },
      },
    });
  },
  async verify(run) {
    await run.granted();
    // Nothing of the grant is applied yet.
    await refuseOverlap(run);
    // An earlier run may have installed it.
    if (!run.resumed) beginDownload(run);
  },
};
