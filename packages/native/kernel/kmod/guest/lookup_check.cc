// SPDX-License-Identifier: Apache-2.0
// Random lookups in a table through the driver, against pread's: lookup_check TABLE OBJECT ENTRIES LOOKUPS [MODE]
//
// The table has the keys `key-%0400u` of all even numbers below 2 * ENTRIES, so long that the tree is high; half of the
// looked-up keys are absent.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <numeric>

#include "chase_file.hh"
#include "engines/driver_engine.hh"
#include "engines/table_lookup.hh"

using namespace exopool;

namespace {

const char *const kModes[] = {"best", "wait", "thread", "poll", "irq"};

bool Same(const LookupResult &a, const LookupResult &b) {
  return a.found == b.found && a.deleted == b.deleted && a.value == b.value && !a.failure && !b.failure;
}

KeyBatch RandomKeys(Random *random, uint64_t entries, size_t count) {
  KeyBatch keys;
  for (size_t i = 0; i < count; i++) {
    char key[512];
    int length =
        snprintf(key, sizeof(key), "key-%0400llu", static_cast<unsigned long long>(random->Below(2 * entries)));
    keys.Add(reinterpret_cast<uint8_t *>(key), static_cast<size_t>(length));
  }
  return keys;
}

}  // namespace

int main(int argc, char **argv) {
  if (argc < 5) return 2;
  uint64_t entries = strtoull(argv[3], nullptr, 10), lookups = strtoull(argv[4], nullptr, 10);
  uint32_t only = argc > 5 ? static_cast<uint32_t>(atoi(argv[5])) : 0;
  DriverEngine engine(argv[2]);
  if (!engine.available()) Die(engine.reason());
  Failure failure;
  TableFile::Options options;
  options.direct = true;
  auto table = TableFile::Open(argv[1], options, &failure);
  // For pread, from the page cache: it is not under test here, and would take most of the time if each read had to
  // sleep.
  auto cached = TableFile::Open(argv[1], {}, &failure);
  if (table == nullptr || cached == nullptr) Die(std::string(argv[1]) + ": " + failure.detail);
  std::string refusal = engine.Attach(table.get());
  if (!refusal.empty()) Die(refusal);
  for (uint32_t mode = EXO_MODE_WAIT; mode < EXO_MODES; mode++) {
    if ((engine.ModesOf(*table) & 1u << mode) == 0 || (only != 0 && only != mode)) continue;
    uint32_t all[EXO_BATCH_MAX];
    std::iota(all, all + EXO_BATCH_MAX, 0);
    Random random(99 + mode);
    uint64_t found = 0, unanswered = 0;
    uint64_t hops = table->counters(Engine::kDriver).hops;
    for (uint64_t done = 0; done < lookups; done += EXO_BATCH_MAX) {
      KeyBatch keys = RandomKeys(&random, entries, EXO_BATCH_MAX);
      LookupResult ours[EXO_BATCH_MAX], expected[EXO_BATCH_MAX];
      unanswered += engine.Lookup(0, *table, keys, all, EXO_BATCH_MAX, static_cast<exo_mode>(mode), ours);
      LookupByPread(*cached, keys, all, EXO_BATCH_MAX, expected);
      for (size_t i = 0; i < EXO_BATCH_MAX; i++) {
        if (!Same(ours[i], expected[i])) {
          printf("%s: %.*s differs from pread's\n", kModes[mode], static_cast<int>(keys.length(i)), keys.data(i));
          return 1;
        }
        found += expected[i].found;
      }
    }
    printf("ok %s: %llu lookups, %llu found, %llu unanswered, height %u, %llu pages read\n", kModes[mode],
           static_cast<unsigned long long>(lookups), static_cast<unsigned long long>(found),
           static_cast<unsigned long long>(unanswered), table->header().height,
           static_cast<unsigned long long>(table->counters(Engine::kDriver).hops - hops));
    if (unanswered != 0) return 1;
  }
  return 0;
}
