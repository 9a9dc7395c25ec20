/*
 * Preloaded into a process: a file system without O_DIRECT, on a disk that fails once. As the kernel does it, the
 * failure is told once to each open file, by whichever call waits for the disk first.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>

static int open_by(const char *name, const char *path, int flags, mode_t mode) {
  int (*next)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, name);
  if ((flags & O_DIRECT) && (flags & O_CREAT)) {
    errno = EINVAL;
    return -1;
  }
  return next(path, flags, mode);
}

#define OPEN(name)                             \
  int name(const char *path, int flags, ...) { \
    va_list rest;                              \
    va_start(rest, flags);                     \
    mode_t mode = va_arg(rest, mode_t);        \
    va_end(rest);                              \
    return open_by(#name, path, flags, mode);  \
  }

OPEN(open)
OPEN(open64)

int sync_file_range(int fd, off64_t offset, off64_t bytes, unsigned flags) {
  static int told;
  (void)fd, (void)offset, (void)bytes;
  if (!(flags & SYNC_FILE_RANGE_WAIT_BEFORE) || told++) return 0;
  errno = EIO;
  return -1;
}
