/*
 * listen - the address of CONFOMEET_STATUS_LISTEN, read: an IPv4 address or an IPv6 address in
 * brackets, and a port. Names are not asked for. Knows no socket.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>

union listen_address {
    struct sockaddr any;
    struct sockaddr_in ipv4;
    struct sockaddr_in6 ipv6;
};

/* "127.0.0.1:9469", "[::1]:9469". False, and `ret_address` untouched, for anything else. */
bool listen_read(const char *text, union listen_address *ret_address);

/* Whether only this machine can reach it. */
bool listen_is_loopback(const union listen_address *address);
