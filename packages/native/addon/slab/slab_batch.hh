// SPDX-License-Identifier: Apache-2.0
// Requests to a producer that travel together, and the listener for their answers.
#pragma once

#include <cstdint>

#include "slab_protocol.h"

namespace exopool {

struct SlabRequest {
  slab_type type;
  uint32_t slab = 0;
  uint32_t offset = 0;
  uint32_t length = 0;
  const uint8_t *payload = nullptr;  // of WRITE and EXTEND: length bytes, copied by Submit
};

// Called by the receiving thread, under the session's mutex: must not call the session.
class SlabBatch {
 public:
  virtual ~SlabBatch() = default;
  // Once a request, in their order. `payload`: of a READ that is SLAB_OK, its length's bytes, until it returns.
  virtual void OnAnswer(uint32_t index, slab_status status, const uint8_t *payload) = 0;
  // After the last answer; `wait_ms`: from a refusal for its rate, else 0.
  virtual void OnDone(uint32_t wait_ms) = 0;
  // After OnDone, once for all answers received together: the time to wake a waiting thread.
  virtual void OnPause() {}
};

}  // namespace exopool
