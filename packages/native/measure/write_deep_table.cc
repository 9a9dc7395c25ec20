// SPDX-License-Identifier: Apache-2.0
// `write_deep_table FILE DEPTH`: a table of 3 ^ DEPTH entries, as in lookup_instructions.cc. Entry i has the key of
// three bytes, the greatest first, and five zeroes, and i as its value of eight bytes.
#include <fcntl.h>

#include <cstdio>
#include <cstdlib>

#include "deep_table.hh"

int main(int count, char **words) {
  int depth = count == 3 ? atoi(words[2]) : 0;
  if (depth < 1 || depth > 10) {
    fprintf(stderr, "usage: write_deep_table FILE DEPTH, which is 1 to 10\n");
    return 2;
  }
  int fd = open(words[1], O_RDWR | O_CREAT | O_EXCL, 0600);
  if (fd < 0 || !exopool::DeepTable().Write(fd, static_cast<unsigned>(depth)) || fsync(fd) != 0) {
    perror(words[1]);
    return 1;
  }
  return 0;
}
