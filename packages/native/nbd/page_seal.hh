// SPDX-License-Identifier: Apache-2.0
// AES-128-GCM over one page, under a key that is made at the start and never leaves this process.
//
// The nonce is the number of the write, which no two pages share; the page's place on the device is associated data;
// number and tag stay here. So a page from a producer or from the file is exactly the last one written there, or is
// refused: an older page has another number, a moved page another place. Without a key pages are stored plain and not
// checked.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>

namespace exopool {

constexpr uint32_t kPageBytes = 4096;

using PageKey = std::array<uint8_t, 16>;
using PageTag = std::array<uint8_t, 16>;

// OpenSSL's objects, defined only in page_seal.cc.
struct SealContext;
struct FreeSealContext {
  void operator()(SealContext *context) const;
};

class PageSeal {
 public:
  static PageKey FreshKey();

  explicit PageSeal(const std::optional<PageKey> &key);
  void Seal(uint64_t page, uint64_t write, const uint8_t *plain, uint8_t *sealed, PageTag *tag);
  // False: not the sealed page; `plain` is then undefined.
  bool Open(uint64_t page, uint64_t write, const PageTag &tag, const uint8_t *sealed, uint8_t *plain);

 private:
  // Null without a key.
  std::unique_ptr<SealContext, FreeSealContext> sealing_;
  std::unique_ptr<SealContext, FreeSealContext> opening_;
};

}  // namespace exopool
