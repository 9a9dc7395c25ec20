/** Builds the command line of QEMU for one guest. */
import { join } from 'node:path';
import { ports } from './guest-scripts.js';
import type { Kernel } from './kernel-cache.js';

export interface NvmeDevice {
  /** An image file, or an address in QEMU's syntax, such as of an NBD server. */
  readonly file: string;
  readonly blockBytes: 512 | 4096;
}

export interface Hardware {
  readonly accelerator: 'kvm' | 'tcg';
  readonly cpus: number;
  readonly memoryMiB: number;
  /** One instruction is one nanosecond of the guest's time (with `tcg` and one CPU). */
  readonly countInstructions: boolean;
  /** A disk image for an NVMe device, and the size of its logical blocks. */
  readonly nvme?: NvmeDevice | undefined;
}

/** Paths of a guest's files in the folder of its run. */
export const consoleFile = 'console.log';
export const socketFile = { out: 'out.socket', err: 'err.socket' } as const;

export function qemuArguments(
  kernel: Kernel,
  folder: string,
  hardware: Hardware,
  commandLine = '',
): string[] {
  return [
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
    ...accelerator(hardware),
    ...['-smp', `${hardware.cpus}`, '-m', `${hardware.memoryMiB}M`],
    ...['-kernel', kernel.image, '-initrd', kernel.initramfs],
    ...[
      '-append',
      `console=ttyS0 quiet panic=-1 ${clock(hardware)} ${commandLine}`.replace(/ +/g, ' ').trim(),
    ],
    ...['-serial', `file:${join(folder, consoleFile)}`],
    ...['-device', 'virtio-serial-pci'],
    ...port('out', join(folder, socketFile.out)),
    ...port('err', join(folder, socketFile.err)),
    ...share('root', '/'),
    ...share('exchange', folder),
    ...nvme(hardware.nvme),
  ];
}

function accelerator({ accelerator, countInstructions }: Hardware): string[] {
  if (accelerator === 'kvm') return ['-accel', 'kvm', '-cpu', 'host'];
  // One thread for all CPUs. With one thread each, kernels that patch their own code sometimes panic.
  const emulated = ['-accel', 'tcg,thread=single', '-cpu', 'max'];
  return countInstructions ? [...emulated, '-icount', 'shift=0'] : emulated;
}

/**
 * With counted instructions the time-stamp counter is exact, so the kernel may trust it. Otherwise an emulated
 * processor has the host's counter, and a guest on a busy machine calibrates it wrongly.
 */
function clock({ accelerator, countInstructions }: Hardware): string {
  if (accelerator === 'kvm') return '';
  return countInstructions ? 'tsc=reliable' : 'clocksource=acpi_pm';
}

function port(name: keyof typeof ports, socket: string): string[] {
  const chardev = `socket,id=${name},path=${escape(socket)}`;
  return ['-chardev', chardev, '-device', `virtserialport,chardev=${name},name=${ports[name]}`];
}

function share(tag: string, path: string): string[] {
  const options = `mount_tag=${tag},security_model=none,readonly=on,multidevs=remap`;
  return ['-virtfs', `local,path=${escape(path)},${options}`];
}

/** With an event fd for the doorbells, several passthrough commands in flight sometimes hang. */
function nvme(device: Hardware['nvme']): string[] {
  if (device === undefined) return [];
  const { file, blockBytes } = device;
  return [
    ...['-drive', `file=${escape(file)},if=none,id=nvme,format=raw,cache=unsafe`],
    ...['-device', 'nvme,id=controller,serial=exopool,ioeventfd=off'],
    ...['-device', `nvme-ns,drive=nvme,logical_block_size=${blockBytes},physical_block_size=${blockBytes}`],
  ];
}

/** A comma ends a value in QEMU's options, so a literal comma is doubled. */
function escape(path: string): string {
  return path.replaceAll(',', ',,');
}
