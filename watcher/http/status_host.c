#include "watcher/http/status_host.h"

#include <arpa/inet.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

static bool ends_in(const char *text, const char *end)
{
    size_t length = strlen(text);

    return length >= strlen(end) && !strcasecmp(text + length - strlen(end), end);
}

bool status_host_is_ours(const char *host, const char *machine)
{
    bool in_brackets = host && host[0] == '[';
    char name[HOST_NAME_MAX + 1];
    struct in_addr ipv4;
    struct in6_addr ipv6;
    size_t length;

    if (!host)
        return true;
    host += in_brackets;
    length = strcspn(host, in_brackets ? "]" : ":");
    if (length >= sizeof name)
        return false;
    memcpy(name, host, length);
    name[length] = 0;
    if (in_brackets)
        return inet_pton(AF_INET6, name, &ipv6) == 1;
    return !strchr(name, '.') || inet_pton(AF_INET, name, &ipv4) == 1 ||
           ends_in(name, ".localhost") || !strcasecmp(name, machine);
}
