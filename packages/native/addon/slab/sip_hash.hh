// SPDX-License-Identifier: Apache-2.0
// SipHash-2-4 with 16 bytes of output (Aumasson and Bernstein, 2012), over short messages.
//
// Every frame is sealed once and checked once, so at a million frames a second the hash is a good part of the
// server's work. OpenSSL's goes through its provider interface and takes three times as long for 32 bytes; the
// tests hold this one against the authors' vectors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace exopool {

class SipHash {
 public:
  explicit SipHash(const uint8_t key[16]) {
    memcpy(&k0_, key, sizeof k0_);
    memcpy(&k1_, key + sizeof k0_, sizeof k1_);
  }

  void Compute(const void *data, size_t size, uint8_t out[16]) const {
    State s{k0_ ^ 0x736f6d6570736575, k1_ ^ 0x646f72616e646f6d ^ 0xee, k0_ ^ 0x6c7967656e657261,
            k1_ ^ 0x7465646279746573};
    const auto *bytes = static_cast<const uint8_t *>(data);
    size_t at = 0;
    for (; size - at >= sizeof(uint64_t); at += sizeof(uint64_t)) {
      uint64_t word;
      memcpy(&word, bytes + at, sizeof word);
      Absorb(&s, word);
    }
    uint64_t last = uint64_t{size & 0xff} << 56;
    if (at < size) memcpy(&last, bytes + at, size - at);
    Absorb(&s, last);
    s.v2 ^= 0xee;
    Finish(&s, out);
    s.v1 ^= 0xdd;
    Finish(&s, out + sizeof(uint64_t));
  }

 private:
  struct State {
    uint64_t v0, v1, v2, v3;
  };

  static uint64_t Rotate(uint64_t x, int by) { return (x << by) | (x >> (64 - by)); }
  static void Round(State *s) {
    s->v0 += s->v1;
    s->v1 = Rotate(s->v1, 13) ^ s->v0;
    s->v0 = Rotate(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = Rotate(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = Rotate(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = Rotate(s->v1, 17) ^ s->v2;
    s->v2 = Rotate(s->v2, 32);
  }
  static void Absorb(State *s, uint64_t word) {
    s->v3 ^= word;
    Round(s);
    Round(s);
    s->v0 ^= word;
  }
  static void Finish(State *s, uint8_t *out) {
    for (int i = 0; i < 4; ++i) Round(s);
    const uint64_t word = s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
    memcpy(out, &word, sizeof word);
  }

  uint64_t k0_, k1_;
};

}  // namespace exopool
