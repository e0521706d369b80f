import type { Image } from './image/build-image.ts';

/** The identity that the machine's firmware shows. */
export interface Smbios {
  readonly manufacturer: string;
  readonly product: string;
  readonly serial: string;
  readonly uuid: string;
}

/** An additional disk: /dev/vdb and so on. */
export interface ExtraDisk {
  readonly path: string;
  readonly format: 'raw' | 'qcow2';
}

/** A tap in the network namespace of a process. */
export interface NetworkPlug {
  readonly namespacePid: number;
  readonly device: string;
  readonly mac: string;
}

/** Starts what is on the disk, as in a laptop. Without it, the kernel and the first root of the tests' own image are started. */
export interface Firmware {
  readonly code: string;
  /** Its variables: written to. */
  readonly variables: string;
}

export interface Hardware {
  readonly boot: Image | Firmware;
  /** qcow2. */
  readonly disk: string;
  readonly extraDisks: readonly ExtraDisk[];
  readonly smbios: Smbios;
  /** The socket of a running swtpm. */
  readonly tpmSocket: string | undefined;
  /** A tap in the network namespace that qemu runs in; without one, the machine has a network that leads nowhere. */
  readonly tap: { readonly device: string; readonly mac: string } | undefined;
  readonly console: { readonly file: string } | 'terminal';
}

/** Descriptors that the parent process passes to qemu. */
export const AGENT_FD = 3;
export const MONITOR_FD = 4;

/**
 * The command line of qemu. Without KVM: where a sandbox offers it, it often hangs. The processor is exactly `max`:
 * with one of its features switched off, statically linked programs of the guest exit at once (qemu 7.2).
 */
export function qemuArguments(hardware: Hardware): string[] {
  const { boot, disk, extraDisks, smbios, tpmSocket, tap } = hardware;
  const terminal = hardware.console === 'terminal';
  const { manufacturer, product, serial, uuid } = smbios;
  const maker = `manufacturer=${manufacturer}`;
  return [
    ...['-accel', 'tcg,thread=multi,tb-size=512', '-cpu', 'max', '-smp', '2', '-m', '2048'],
    ...['-nodefaults', '-no-user-config', '-no-reboot', '-display', 'none'],
    ...('code' in boot
      ? firmware(boot)
      : [
          '-machine',
          'pc',
          '-kernel',
          boot.kernel,
          '-initrd',
          boot.initramfs,
          '-append',
          kernelCommandLine(uuid, terminal),
        ]),
    // What the guest has flushed is in the host's memory, which outlives qemu; the guest's own memory is lost.
    ...['-drive', `file=${disk},if=virtio,format=qcow2,cache=writeback,discard=unmap`],
    ...extraDisks.flatMap(({ path, format }) => ['-drive', `file=${path},if=virtio,format=${format},cache=writeback`]),
    ...['-smbios', `type=1,${maker},product=${product},serial=${serial},uuid=${uuid}`],
    ...['-smbios', `type=2,${maker},product=${product},serial=B${serial}`],
    ...['-smbios', `type=3,${maker},serial=${serial}`],
    ...(tpmSocket === undefined
      ? []
      : ['-chardev', `socket,id=tpm,path=${tpmSocket}`, '-tpmdev', 'emulator,id=tpm0,chardev=tpm']),
    ...(tpmSocket === undefined ? [] : ['-device', 'tpm-tis,tpmdev=tpm0']),
    ...(tap === undefined
      ? ['-netdev', 'user,id=net,restrict=on,ipv6=off']
      : ['-netdev', `tap,id=net,ifname=${tap.device},script=no,downscript=no`]),
    ...['-device', `virtio-net-pci,netdev=net,romfile=${tap === undefined ? '' : `,mac=${tap.mac}`}`],
    ...['-device', 'virtio-rng-pci', '-device', 'virtio-serial-pci'],
    ...['-chardev', `socket,id=agent,fd=${AGENT_FD}`, '-device', 'virtserialport,chardev=agent,name=machine.agent'],
    ...['-chardev', `socket,id=monitor,fd=${MONITOR_FD}`, '-mon', 'chardev=monitor,mode=control'],
    ...(hardware.console === 'terminal'
      ? ['-serial', 'stdio']
      : ['-chardev', `file,id=console,path=${hardware.console.file},append=on`, '-serial', 'chardev:console']),
  ];
}

/** OVMF that demands Secure Boot needs SMM, so that only the firmware writes its variables. */
function firmware({ code, variables }: Firmware): string[] {
  const flash = (unit: number, more: string): string[] => ['-drive', `if=pflash,format=raw,unit=${unit},${more}`];
  return [
    ...['-machine', 'q35,smm=on', '-global', 'driver=cfi.pflash01,property=secure,value=on'],
    ...['-global', 'ICH9-LPC.disable_s3=1'],
    ...flash(0, `readonly=on,file=${code}`),
    ...flash(1, `file=${variables}`),
  ];
}

function kernelCommandLine(uuid: string, terminal: boolean): string {
  const machineId = uuid.replaceAll('-', '');
  return [
    'root=/dev/vda rw console=ttyS0 loglevel=4 panic=-1 mitigations=off nowatchdog',
    `systemd.machine_id=${machineId} systemd.show_status=${terminal ? 'yes' : 'no'}`,
    // Without a person at the console, nobody needs to log in.
    ...(terminal ? [] : ['systemd.getty_auto=no']),
  ].join(' ');
}
