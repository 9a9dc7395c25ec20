/**
 * What a machine may lack for a test, and what would bring it. A skipped test names one of these, so that a run can
 * say what it did not see, and `EXOPOOL_TEST_REQUIRE` (names, comma separated) can make a skip a failure.
 */
export const features = {
  all: './exopool test --all runs the longer forms',
  build: './exopool setup',
  cgroup: 'run as root where the memory controller is mounted: mount -t cgroup2 none /sys/fs/cgroup',
  'cgroup-v1': 'boot with systemd.unified_cgroup_hierarchy=0',
  'clang-format': 'apt-get install clang-format',
  compiler: 'apt-get install g++',
  compressors: 'apt-get install xz-utils lz4',
  debootstrap: 'run as root on x64: apt-get install debootstrap',
  dpkg: 'a Debian machine',
  driver: 'load exopool.ko, Linux 6.9 or later: packages/native/kernel/kmod/README.md',
  fio: 'apt-get install fio',
  guests:
    'apt-get install qemu-system-x86 busybox-static kmod; 5 GiB of free memory; Debian archive reachable',
  'io-uring': 'sysctl kernel.io_uring_disabled=0, Linux 5.6 or later',
  'io-uring-bpf': 'Linux 7.1 or later; the tests in guests run it: ./exopool test --vm',
  kallsyms: 'a kernel with CONFIG_KALLSYMS',
  loop: 'run as root where /dev/loop-control is: modprobe loop',
  memcached: 'apt-get install memcached',
  'missing-engine': 'nothing: every engine runs here',
  'nbd-tools': 'apt-get install libnbd-bin qemu-utils nbd-client',
  nbdkit: 'apt-get install nbdkit nbdkit-plugin-dev libssl-dev, then ./exopool setup',
  nobody: 'run as root, with node where every user may run it',
  'nvme-bpf': 'an NVMe disk and Linux 7.1 or later; the tests in guests run it: ./exopool test --vm',
  'open-checkout': 'put the checkout where every user may read it',
  'page-cache-bpf':
    'apt-get install clang libbpf-dev, then ./exopool setup; run as root or with CAP_BPF and CAP_PERFMON',
  perl: 'apt-get install perl-base',
  postgresql: 'apt-get install postgresql',
  pread: 'nothing: it runs everywhere',
  psi: 'a kernel with CONFIG_PSI; boot with psi=1',
  'read-trace':
    'apt-get install clang libbpf-dev, then ./exopool setup; as root, the checkout on a block device',
  redis: 'apt-get install redis-server redis-tools',
  root: 'sudo ./exopool test',
  sanitizers: 'apt-get install clang g++ (libasan and libubsan come with it)',
  shm: 'mount -t tmpfs tmpfs /dev/shm',
  'sqlite-drivers': 'Node.js 22.13 or later for node:sqlite; npm install libsql',
  sqlite: 'apt-get install sqlite3',
  'swap-file': 'run as root, the temporary folder on a file system that can hold swap, such as ext4',
  tmpfs: 'run as root, outside of a container without CAP_SYS_ADMIN',
  traces: 'traces of block devices beside the checkout: ../shared/data',
  'util-linux': 'apt-get install util-linux',
  xfs: 'apt-get install xfsprogs',
  zram: 'run as root: modprobe zram',
} as const satisfies Record<string, string>;

export type Feature = keyof typeof features;
