#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Measures the driver in a guest: measure.sh BUILT instructions|wall_time|fairness DEVICE ext4|xfs [arguments]
#
# BUILT is as for check.sh. DEVICE is empty. Where it is NVMe, its driver is replaced by the one with the hook. Prints
# the program's output: lines of JSON that its source describes.
set -eu
built=$1 program=$2 device=$3 filesystem=$4
shift 4

await_device() {
  for _ in $(seq 100); do [ -b "$device" ] && return || sleep 0.1; done
  echo "there is no $device" >&2
  exit 1
}

modprobe "$filesystem"
case $device in
  /dev/nvme*)
    rmmod nvme
    insmod "$built/nvme.ko" poll_queues=1
    ;;
esac
await_device
# No background work may remain in the kernel.
case $filesystem in
  ext4) mkfs.ext4 -q -b 4096 -E lazy_itable_init=0,lazy_journal_init=0 "$device" ;;
  xfs) mkfs.xfs -q -f "$device" ;;
esac
insmod "$built/exopool.ko"
mount -o noatime "$device" /mnt
exec "$built/$program" --file-system "$filesystem" "$@" /mnt/chase "$built/driver_chase.bpf.o"
