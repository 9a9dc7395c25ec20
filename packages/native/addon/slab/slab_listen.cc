// SPDX-License-Identifier: Apache-2.0
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <system_error>

#include "slab/slab_server_loop.hh"

namespace exopool {

FileDescriptor ListenTcp(const std::string &host, uint16_t port, uint16_t *bound_port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo *found = nullptr;
  const int failure = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (failure != 0) {
    throw std::system_error(EADDRNOTAVAIL, std::generic_category(), gai_strerror(failure));
  }
  FileDescriptor fd(socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const bool good = bind(fd.get(), found->ai_addr, found->ai_addrlen) == 0 && listen(fd.get(), 256) == 0;
  const int error = errno;
  freeaddrinfo(found);
  if (!good) throw std::system_error(error, std::generic_category(), "listen");

  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  getsockname(fd.get(), reinterpret_cast<sockaddr *>(&bound), &size);
  *bound_port = ntohs(bound.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6 *>(&bound)->sin6_port
                                                  : reinterpret_cast<sockaddr_in *>(&bound)->sin_port);
  return fd;
}

}  // namespace exopool
