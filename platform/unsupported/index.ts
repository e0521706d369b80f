import { KiwiError } from '../../src/core/errors.ts';
import type { Platform } from '../../src/laptop/system/platform.ts';
import { noClaimScreens } from './no-claim-screens.ts';
import { noDisk } from './no-disk.ts';
import { noSignIn } from './no-sign-in.ts';
import { noTunnelApp } from './no-tunnel-app.ts';

/** Any other operating system: every operation is refused with `unsupported-system` when it is called. */
export function unsupportedPlatform(name: string): Platform {
  const refuse = (): never => {
    throw new KiwiError('unsupported-system', { detail: name });
  };
  const refuseLater = (): Promise<never> => Promise.reject(new KiwiError('unsupported-system', { detail: name }));
  return {
    preflight: { check: refuseLater },
    consumers: [],
    hardware: { readHardware: refuseLater, readSystem: refuseLater },
    certificates: {
      createDeviceKey: refuseLater,
      keepTpmKey: refuseLater,
      loadDeviceKey: refuseLater,
      install: refuseLater,
      load: refuseLater,
      verify: refuseLater,
      systemUse: refuseLater,
      giveToSystem: refuseLater,
      remove: refuseLater,
      found: refuseLater,
      paths: refuse,
    },
    tpm: { createKey: refuseLater, endorsementCertificate: refuseLater, activate: refuseLater },
    trust: {
      install: refuseLater,
      verify: refuseLater,
      remove: refuseLater,
      found: refuseLater,
      systemCaBundle: refuseLater,
    },
    tunnel: {
      up: refuseLater,
      start: refuseLater,
      down: refuseLater,
      restart: refuseLater,
      enable: refuseLater,
      found: refuseLater,
      status: refuseLater,
      probe: refuseLater,
      carries: refuseLater,
      setMtu: refuseLater,
      resolve: refuseLater,
      routable: refuseLater,
      nudge: refuseLater,
      readdPeer: refuseLater,
      follow: refuseLater,
      localNetworks: refuseLater,
    },
    agent: {
      status: refuseLater,
      orbitEnrolled: refuseLater,
      configure: refuseLater,
      install: refuseLater,
      forgetSecret: refuseLater,
      secretForgotten: refuseLater,
      uninstall: refuseLater,
      found: refuseLater,
      log: refuseLater,
    },
    tunnelApp: noTunnelApp(name),
    disk: noDisk(name),
    signIn: noSignIn(name),
    desktop: { sessions: refuseLater, show: refuseLater, close: refuseLater },
    claimScreens: noClaimScreens,
    reports: { units: refuseLater, log: refuseLater, kernel: refuse },
    updater: { releaseKeys: refuseLater, installed: refuseLater, install: refuseLater },
    caretaker: { restrict: refuseLater, remove: refuseLater, enable: refuseLater, restart: refuseLater },
    inspector: {
      isRoot: refuse,
      file: refuseLater,
      names: refuseLater,
      disk: refuseLater,
      units: refuseLater,
      clockSynchronised: refuseLater,
      interfaceFor: refuseLater,
      routingRules: refuseLater,
      resolver: refuseLater,
      resolve: refuseLater,
      peer: refuseLater,
      wireguard: refuseLater,
      missingPrograms: refuseLater,
      package: refuseLater,
      browserStores: refuseLater,
    },
    get stateFolder(): string {
      return refuse();
    },
    get pinnedRootsFile(): string {
      return refuse();
    },
    files: refuseLater,
    isSecret: refuse,
    writtenFolders: [],
    units: { checkTimer: '', checkService: '', watcher: '', agentSocket: '', agent: '' },
  };
}
