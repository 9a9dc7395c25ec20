#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# All checks of the driver, in a disposable guest: check.sh BUILT TABLE ENTRIES [long]
#
# BUILT has exopool.ko and nvme.ko for the guest's kernel (scripts/build-kmod.mjs), the checks and the BPF objects
# (scripts/build-guest-checks.mjs); TABLE is a table for lookup_check with ENTRIES entries. The guest has an empty NVMe
# device, /dev/nvme0n1. Prints a line for each check that held; ends with 1 at the first that did not.
set -u
built=$1 table=$2 entries=$3 long=${4:-}
device=/dev/nvme0n1

fail() {
  echo "failed: $*"
  dmesg | tail -n 40
  exit 1
}

# Waits for a condition, for some seconds at most.
await() {
  for _ in $(seq 300); do
    eval "$1" && return
    sleep 0.1
  done
  fail "waited in vain for: $1"
}

unload() {
  # The program of a process that has just ended is released a moment later.
  await "rmmod exopool 2>/dev/null"
}

use_driver() {
  rmmod nvme 2>/dev/null
  "$@" || fail "$*"
  await "[ -b ${device}p1 ] || [ -b $device ]"
}

# There is no udev in a guest.
dm() { dmsetup --noudevsync --noudevrules "$@"; }

# A number as four bytes, the smallest first, for printf.
little_endian() { printf '\\x%02x' $(($1 & 255)) $(($1 >> 8 & 255)) $(($1 >> 16 & 255)) $(($1 >> 24 & 255)); }

# Partitions of so many MiB, one after the other: a table is four entries and a mark at the end of the first block.
partition() {
  local start=2048 size entries=
  for size in "$@"; do
    entries+='\x00\x00\x00\x00\x83\x00\x00\x00'$(little_endian $start)$(little_endian $((size * 2048)))
    start=$((start + size * 2048))
  done
  printf "$entries" | dd of="$device" bs=1 seek=446 conv=notrunc status=none &&
    printf '\x55\xaa' | dd of="$device" bs=1 seek=510 conv=notrunc status=none &&
    blockdev --rereadpt "$device" || fail "partitions on $device"
}

make_filesystems() {
  partition 300 400 100
  await "[ -b ${device}p3 ]"
  mkfs.ext4 -q -b 4096 "${device}p1" && mkfs.xfs -q -f "${device}p2" || fail mkfs
  mkdir -p /mnt/ext4 /mnt/xfs /mnt/faulty
  mount_filesystems
}

mount_filesystems() { mount "${device}p1" /mnt/ext4 && mount "${device}p2" /mnt/xfs || fail mount; }
unmount_filesystems() { umount /mnt/ext4 /mnt/xfs || fail umount; }

# Kernel memory that the checks' group is charged for: pages, and unreclaimable objects. Without the memory that every
# process has, and caches of files.
charged_bytes() {
  echo 3 >/proc/sys/vm/drop_caches
  awk '/^kernel / { sum += $2 } /^(kernel_stack|pagetables|sec_pagetables|percpu|slab_reclaimable) / { sum -= $2 }
       END { print sum }' /sys/fs/cgroup/checks/memory.stat
}

# The module's objects of all kinds that are in use: shrunk, a cache has no others.
live_objects() {
  local cache
  for cache in /sys/kernel/slab/exo_*; do echo 1 >"$cache/shrink"; done
  awk '/^exo_/ { sum += $2 } END { print sum + 0 }' /proc/slabinfo
}

check_chases() {
  for mount in ext4 xfs; do
    "$built/chase_check" "/mnt/$mount/chase" "$built/driver_chase.bpf.o" "$chains" || fail "chase_check on $mount"
  done
}

check_lookups() {
  for mount in ext4 xfs; do
    cp "$table" "/mnt/$mount/table" && sync
    "$built/lookup_check" "/mnt/$mount/table" "$built/driver_lookup.bpf.o" "$entries" "$lookups" || fail "lookups on $mount"
  done
}

check_rules() {
  for mount in ext4 xfs; do
    "$built/rules_check" "/mnt/$mount" "$built/driver_chase.bpf.o" "${device}p3" || fail "rules on $mount"
  done
}

check_remaps() {
  for mount in ext4 xfs; do
    "$built/remap_storm" "/mnt/$mount" "$built/driver_chase.bpf.o" "$rounds" || fail "remap storm on $mount"
  done
}

# dm-error under a part of the file, then dm-flakey under all of it, while chains fly: more than 10^5 of them.
check_faults() {
  local sectors first
  if ! command -v dmsetup >/dev/null; then
    echo "skipped faults: apt-get install dmsetup"
    return
  fi
  sectors=$(blockdev --getsz "${device}p3")
  dm create faulty --table "0 $sectors linear ${device}p3 0" && dmsetup mknodes faulty || fail dmsetup
  mkfs.ext4 -q -b 4096 /dev/mapper/faulty && mount /dev/mapper/faulty /mnt/faulty || fail "mount of the faulty device"
  rm -f /run/ready
  "$built/fault_check" /mnt/faulty/file "$built/driver_chase.bpf.o" 600 /run/enough >/run/ready &
  await "grep -qs ready /run/ready"
  first=$(filefrag -e -b512 /mnt/faulty/file | awk '$1 == "0:" { sub(/\.\..*/, "", $4); print $4 }')
  retable "0 $((first + 4096)) linear ${device}p3 0
$((first + 4096)) 256 error
$((first + 4352)) $((sectors - first - 4352)) linear ${device}p3 $((first + 4352))"
  sleep 2
  retable "0 $sectors flakey ${device}p3 0 1 1"
  sleep 6
  retable "0 $sectors linear ${device}p3 0"
  touch /run/enough
  wait $! || fail "$(cat /run/ready)"
  grep ok /run/ready
  rm -f /run/enough
  umount /mnt/faulty && dm remove faulty || fail "removal of the faulty device"
}

retable() {
  dm suspend --nolockfs faulty && echo "$1" | dm load faulty && dm resume faulty || fail "dmsetup of: $1"
}

# Processes that die in the middle of their chains, and calls that are refused while they run.
check_deaths() {
  local i
  for i in $(seq "$deaths"); do
    "$built/chase_check" /mnt/ext4/chase "$built/driver_chase.bpf.o" 100000 >/dev/null &
    await "grep -q 'process $! ' /proc/exopool"
    rmmod exopool 2>/dev/null && fail "the module was unloaded under a process"
    sleep "0.$((RANDOM % 5))"
    kill -KILL $!
    wait $! 2>/dev/null
  done
  grep -q ^process /proc/exopool && fail "a process has left its account behind"
  echo "ok deaths: $deaths processes killed in the middle of chains"
}

# The controller resets, and at last it is gone.
check_removal() {
  rm -f /run/ready
  "$built/fault_check" /mnt/ext4/reset "$built/driver_chase.bpf.o" 600 /run/enough >/run/ready 2>&1 &
  await "grep -qs ready /run/ready"
  for _ in 1 2 3; do
    sleep 1
    echo 1 >/sys/class/nvme/nvme0/reset_controller
  done
  sleep 1
  echo 1 >"$(readlink -f /sys/class/nvme/nvme0/device)/remove"
  sleep 2
  touch /run/enough
  wait $! || fail "$(cat /run/ready)"
  sed 's/ok faults/ok resets and removal/' /run/ready | grep ok
}

check_log() {
  # The log, without messages that the checks caused by breaking devices.
  if dmesg | grep -E 'BUG|WARNING|Oops|Call Trace|deadlock|lockdep|hung task|leak|rcu.*stall|refcount'; then
    fail "the kernel complains"
  fi
  echo "ok log: no warning, oops or lock complaint"
}

if [ -n "$long" ]; then
  chains=20000 lookups=250000 rounds=1500 deaths=30
else
  chains=200 lookups=1280 rounds=20 deaths=4
fi
modprobe ext4 && modprobe xfs && modprobe dm_mod && modprobe dm_flakey || fail modprobe
mkdir -p /sys/fs/cgroup/checks && echo +memory >/sys/fs/cgroup/cgroup.subtree_control
echo $$ >/sys/fs/cgroup/checks/cgroup.procs

# First the distribution's driver: no hook, and the module must do without.
await "[ -b $device ]"
make_filesystems
insmod "$built/exopool.ko" || fail "insmod exopool.ko"
grep -q 'hook 0' /proc/exopool || fail "the distribution's driver has a hook"
chains_all=$chains chains=$((chains / 4))
check_chases
chains=$chains_all
unload
unmount_filesystems

use_driver insmod "$built/nvme.ko" poll_queues=1
await "[ -b ${device}p3 ]"
mount_filesystems
insmod "$built/exopool.ko" || fail "insmod exopool.ko"
grep -q 'hook 1' /proc/exopool || fail "the driver that was built has no hook"
check_rules
await '[ "$(live_objects)" = 0 ]'
before=$(charged_bytes)
check_chases
check_lookups
check_remaps
check_faults
check_deaths
grep -v ' 0$' /proc/exopool
await '[ "$(live_objects)" = 0 ]'
after=$(charged_bytes)
[ $((after - before)) -lt 1048576 ] || fail "$((after - before)) bytes of kernel memory were not given back"
echo "ok memory: of $(grep -c '^exo_' /proc/slabinfo) kinds of objects none is left, $((after - before)) bytes more than before"
unload
insmod "$built/exopool.ko" && unload
echo "ok unload: refused while in use, clean after"
check_log
insmod "$built/exopool.ko" || fail "insmod exopool.ko"
check_removal
umount -l /mnt/ext4 /mnt/xfs
unload
if dmesg | grep -E 'BUG|WARNING|Oops|refcount|general protection'; then fail "the kernel complains of the removal"; fi
echo "ok: all checks"
