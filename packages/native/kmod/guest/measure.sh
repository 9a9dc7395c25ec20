#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Instructions a hop in a guest under --icount: measure.sh BUILT ext4|xfs [arguments of instructions]
#
# BUILT is as for check.sh. The guest has an empty NVMe device, /dev/nvme0n1, whose driver is replaced by the one with
# the hook. Prints what guest/instructions.cc prints: a line of JSON for each engine, depth and number of chains.
set -eu
built=$1 filesystem=$2
shift 2
device=/dev/nvme0n1

modprobe "$filesystem"
rmmod nvme
insmod "$built/nvme.ko" poll_queues=1
for _ in $(seq 100); do [ -b "$device" ] && break || sleep 0.1; done
case $filesystem in
  ext4) mkfs.ext4 -q -b 4096 "$device" ;;
  xfs) mkfs.xfs -q -f "$device" ;;
esac
insmod "$built/exopool.ko"
mount "$device" /mnt
exec "$built/instructions" --file-system "$filesystem" /mnt/chase "$built/driver_chase.bpf.o" "$@"
