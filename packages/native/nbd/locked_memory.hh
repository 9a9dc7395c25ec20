// SPDX-License-Identifier: Apache-2.0
// What keeps a process able to serve swap while memory is short.
#pragma once

namespace exopool {

// Before any thread is started: reclaim on behalf of this process must not wait for its own device, and the
// system's killer must not choose it. Without the rights nothing changes. Nor does it end with its parent,
// which is what nbdkit asks for in the foreground.
void BecomeFlusher();

// Keeps all memory of now and later from being swapped out. False without the right or under a limit.
bool LockMemory();

}  // namespace exopool
