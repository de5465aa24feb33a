#include "config/listen.h"

#include "finalize/base/number.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>

/* 1 to 65535, in digits without a leading zero. */
static bool read_port(const char *text, in_port_t *ret_port)
{
    uint64_t port = 0;
    bool ok = text[0] != '0' && number_read(text, 1, UINT16_MAX, &port);

    *ret_port = htons((uint16_t)port);
    return ok;
}

bool listen_read(const char *text, union listen_address *ret_address)
{
    union listen_address address;
    char host[INET6_ADDRSTRLEN];
    const char *colon = strrchr(text, ':');
    bool in_brackets = text[0] == '[';
    const char *begin = text + in_brackets;
    size_t length;

    if (!colon || colon == text || (in_brackets && colon[-1] != ']'))
        return false;
    length = (size_t)(colon - begin) - in_brackets;
    if (length >= sizeof host)
        return false;
    memcpy(host, begin, length);
    host[length] = 0;
    memset(&address, 0, sizeof address);
    if (in_brackets) {
        address.ipv6.sin6_family = AF_INET6;
        if (inet_pton(AF_INET6, host, &address.ipv6.sin6_addr) != 1 ||
            !read_port(colon + 1, &address.ipv6.sin6_port))
            return false;
    } else {
        address.ipv4.sin_family = AF_INET;
        if (inet_pton(AF_INET, host, &address.ipv4.sin_addr) != 1 ||
            !read_port(colon + 1, &address.ipv4.sin_port))
            return false;
    }
    *ret_address = address;
    return true;
}

bool listen_is_loopback(const union listen_address *address)
{
    if (address->any.sa_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&address->ipv6.sin6_addr);
    return ntohl(address->ipv4.sin_addr.s_addr) >> 24 == 127;
}
