import type { Job } from './launchd.ts';
import { JOBS, PATHS } from './paths.ts';

const ENROLL = `${PATHS.programs}/kiwistack-enroll`;
/** As on Linux, in the service of the agent. */
const NODE = [`${PATHS.programs}/node`, '--disable-sigusr1', '--disable-warning=ExperimentalWarning'] as const;
const common = { ProcessType: 'Background', Umask: 0o022 } as const;
/** Long enough for what must not be cut off: the undo of an enrollment, a package. */
const PATIENT = { ExitTimeOut: 300 } as const;

/** The agent: launchd has its socket, and starts it for the first connection. It ends by itself when nobody needs it. */
export function agentJob(): Job {
  return {
    Label: JOBS.agent,
    ProgramArguments: [...NODE, `${PATHS.program}/kiwistack-agent.js`],
    // Who may do what is decided for each caller: everybody may connect, as on Linux.
    Sockets: { Listeners: { SockPathName: PATHS.agentSocket, SockPathMode: 0o666, SockType: 'stream' } },
    StandardErrorPath: `${PATHS.log}/agent.log`,
    ...common,
    ...PATIENT,
  };
}

/**
 * The hourly check. Not by an interval: launchd drops those that fall into sleep, and makes up for those of the calendar.
 * @param minute of the hour, chosen at random when the package is installed, so that laptops do not all ask at once
 */
export function checkJob(minute: number): Job {
  if (!Number.isInteger(minute) || minute < 0 || minute > 59) throw new TypeError('not a minute');
  return {
    Label: JOBS.check,
    ProgramArguments: [ENROLL, 'check'],
    RunAtLoad: true,
    StartCalendarInterval: { Minute: minute },
    StandardErrorPath: `${PATHS.log}/check.log`,
    ...common,
    ...PATIENT,
  };
}

/**
 * Mends the tunnel when the network has changed, which macOS writes into the files of its resolver and of its network settings, and every
 * five minutes: this is what the watcher does on Linux.
 */
export function mendJob(): Job {
  return {
    Label: JOBS.mend,
    ProgramArguments: [ENROLL, 'mend', '--reason', 'network'],
    RunAtLoad: true,
    WatchPaths: ['/var/run/resolv.conf', '/Library/Preferences/SystemConfiguration/NetworkInterfaces.plist'],
    StartInterval: 300,
    ThrottleInterval: 10,
    StandardErrorPath: `${PATHS.log}/mend.log`,
    ...common,
    ...PATIENT,
  };
}

export interface TunnelJobs {
  /** Runs wireguard-go for as long as the tunnel is to be there. */
  readonly device: Job;
  /** Gives its interface keys, address and routes, whenever wireguard-go has made one. */
  readonly configure: Job;
}

export const tunnelLabels = (tunnel: string): { readonly device: string; readonly configure: string } => ({
  device: `io.kiwistack.tunnel.${tunnel}`,
  configure: `io.kiwistack.tunnel.${tunnel}.configure`,
});

/** The tunnel's name in a label of ours. */
export const tunnelInLabel = (label: string): string | undefined =>
  /^io\.kiwistack\.tunnel\.(kiwi-[a-z0-9-]{1,10})(?:\.configure)?$/u.exec(label)?.[1];

/** Where wireguard-go writes which interface it made: macOS numbers them, `utun5`. */
export const interfaceFile = (tunnel: string): string => `${PATHS.tunnel}/${tunnel}.interface`;

/** Two jobs, so that wireguard-go, which is small, is all that stays, and launchd itself starts it again. No key is in them. */
export function tunnelJobs(tunnel: string): TunnelJobs {
  const labels = tunnelLabels(tunnel);
  return {
    device: {
      Label: labels.device,
      ProgramArguments: [`${PATHS.programs}/wireguard-go`, '--foreground', 'utun'],
      EnvironmentVariables: { WG_TUN_NAME_FILE: interfaceFile(tunnel), LOG_LEVEL: 'error' },
      RunAtLoad: true,
      KeepAlive: true,
      ThrottleInterval: 5,
      StandardErrorPath: `${PATHS.log}/tunnel.log`,
      ProcessType: 'Interactive',
      Umask: 0o077,
    },
    configure: {
      Label: labels.configure,
      ProgramArguments: [...NODE, `${PATHS.program}/kiwistack-tunnel.js`, tunnel],
      RunAtLoad: true,
      WatchPaths: [interfaceFile(tunnel)],
      ThrottleInterval: 5,
      StandardErrorPath: `${PATHS.log}/tunnel.log`,
      ...common,
    },
  };
}
