/**
 * Scripts for busybox that run in the guest before and around the command.
 *
 * `init` is in the initramfs. It loads modules and builds the guest's root from the host's root, read-only, and a layer
 * in memory that takes all writes. Then it becomes the supervisor. The supervisor runs the command and sends its output
 * over the guest's two ports, with marks before and after it (guest-stream.ts).
 *
 *   host /  --9p, read only-->  /lower ┐
 *   tmpfs                       /upper ┴ overlay  /  ...  command --pipe--> cat --> virtio port --> host
 */

/** Names of the ports, for QEMU and for the guest. */
export const ports = { out: 'exopool.out', err: 'exopool.err' } as const;
/** On the kernel's command line: the guest only shows that it boots. */
export const probeFlag = 'exopool.probe';
/** A guest that was started with that prints this on its console. */
export const probeAnswer = 'exopool: the guest is alive';
/** Folder in the guest for the supervisor's files. */
const home = '/run/exopool-guest';

/** @param modules paths of the module files in the initramfs, in loading order. */
export function initScript(modules: readonly string[]): string {
  return `#!/bin/busybox sh
fail() { echo "exopool: $1"; poweroff -f; }
/bin/busybox --install -s /bin
mount -t proc proc /proc
if grep -q ${probeFlag} /proc/cmdline; then echo '${probeAnswer}'; poweroff -f; fi
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
${modules.map((path) => `insmod ${quote(path)} || fail ${quote(`cannot load ${path}`)}`).join('\n')}
nine=trans=virtio,version=9p2000.L,msize=524288,cache=loose,ro
mount -t 9p -o $nine root /lower || fail 'cannot mount the root of the host'
mount -t 9p -o $nine exchange /exchange || fail 'cannot mount the folder of this run'
mount -t tmpfs -o size=75% upper /upper
mkdir /upper/data /upper/work
mount -t overlay -o lowerdir=/lower,upperdir=/upper/data,workdir=/upper/work root /new || fail 'cannot mount the overlay'
mount --move /proc /new/proc
mount --move /sys /new/sys
mount --move /dev /new/dev
mkdir -p /new/dev/shm /new/dev/pts
for name in fd:fd stdin:fd/0 stdout:fd/1 stderr:fd/2; do ln -s /proc/self/\${name#*:} /new/dev/\${name%:*}; done
mount -t tmpfs shm /new/dev/shm
mount -t devpts pts /new/dev/pts
mount -t tmpfs run /new/run
mount -t cgroup2 cgroup /new/sys/fs/cgroup
mkdir -p /new${home}
cp /bin/busybox /exchange/supervise /new${home}/
exec switch_root /new ${home}/busybox sh ${home}/supervise
`;
}

export interface Supervised {
  readonly token: string;
  readonly command: readonly string[];
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Release of the kernel, and the folder of its modules on the host. */
  readonly release: string;
  readonly modulesFolder: string;
  /** Size of a null block device, MiB. */
  readonly nullBlockMiB?: number | undefined;
}

export function superviseScript(run: Supervised): string {
  const exports = Object.entries(run.environment).map(([name, value]) => `export ${name}=${quote(value)}`);
  return `bb() { ${home}/busybox "$@"; }
fail() { echo "exopool: $1" >/dev/console; bb poweroff -f; }
bb ip link set lo up
bb mkdir -p /lib/modules/${quote(run.release)}
bb mount -o bind ${quote(run.modulesFolder)} /lib/modules/${quote(run.release)}
bb mount -t tracefs tracefs /sys/kernel/tracing
${run.nullBlockMiB === undefined ? '' : nullBlock(run.nullBlockMiB)}
for port in /sys/class/virtio-ports/*; do
  case $(bb cat "$port/name") in
    ${ports.out}) exec 3>"/dev/\${port##*/}" ;;
    ${ports.err}) exec 4>"/dev/\${port##*/}" ;;
  esac
done
bb mkfifo ${home}/out ${home}/err
bb cat ${home}/out >&3 & cat_out=$!
bb cat ${home}/err >&4 & cat_err=$!
bb printf '%sstart\\n' '${run.token}' >&3
(
  ${exports.join('\n  ')}
  # By env, since this shell would prefer busybox's own programs to those of the root.
  cd ${quote(run.cwd)} && exec /usr/bin/env ${run.command.map(quote).join(' ')}
) </dev/null >${home}/out 2>${home}/err 3>&- 4>&- &
wait $!
status=$?
# What the command left running would keep the pipes open. Kernel threads have no program.
for process in /proc/[0-9]*; do
  case \${process#/proc/} in 1 | $cat_out | $cat_err) continue ;; esac
  bb readlink "$process/exe" >/dev/null 2>&1 && bb kill -9 \${process#/proc/} 2>/dev/null
done
wait $cat_out $cat_err
bb printf '%sexit %s\\n' '${run.token}' $status >&3
bb printf '%sexit %s\\n' '${run.token}' $status >&4
# The host ends the guest now; should it not, nobody else would.
bb sleep 30
bb poweroff -f
`;
}

/** A memory-backed null block device completes each request at once, so it shows the cost of the driver alone. */
function nullBlock(sizeMiB: number): string {
  const device = '/sys/kernel/config/nullb/nullb0';
  const settings = {
    size: sizeMiB,
    memory_backed: 1,
    irqmode: 0,
    completion_nsec: 0,
    poll_queues: 1,
    power: 1,
  };
  return [
    '/sbin/modprobe null_blk nr_devices=0',
    'bb mount -t configfs configfs /sys/kernel/config',
    `bb mkdir ${device}`,
    ...Object.entries(settings).map(([name, value]) => `echo ${value} >${device}/${name}`),
    "[ -b /dev/nullb0 ] || fail 'the kernel makes no null block device'",
  ].join('\n');
}

/** Quotes a word for a shell. */
export function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
