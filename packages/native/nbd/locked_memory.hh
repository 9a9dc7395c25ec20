// SPDX-License-Identifier: Apache-2.0
// Keeps a process able to serve swap while memory is short.
#pragma once

namespace exopool {

// Before any thread is started: reclaim on behalf of this process must not wait for its own device, and the OOM killer
// must not choose it. Without the rights this changes nothing. Also clears the parent-death signal that nbdkit sets in
// the foreground.
void BecomeFlusher();

// Locks all present and future memory. False without the right or under a limit.
bool LockMemory();

}  // namespace exopool
