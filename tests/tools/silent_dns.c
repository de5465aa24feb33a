/*
 * silent_dns - a DNS server that does not answer: preloaded (LD_PRELOAD), getaddrinfo() of names
 * that end in ".silent" takes a minute, and notes in the file $SILENT_DNS_LOG that it was asked.
 *
 * A real silent server takes glibc ten seconds, or forty with a Kubernetes search list: with a
 * minute, a test that waits for the look-up fails however slow the machine is.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOOK_UP_S 60u

static void note(const char *name)
{
    const char *log = getenv("SILENT_DNS_LOG");
    int fd = log ? open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;

    if (fd < 0)
        return;
    if (write(fd, name, strlen(name)) < 0 || write(fd, "\n", 1) < 0)
        abort();
    close(fd);
}

__attribute__((visibility("default"))) int getaddrinfo(const char *node, const char *service,
                                                       const struct addrinfo *hints,
                                                       struct addrinfo **ret)
{
    union { /* ISO C knows no conversion of pointers to functions */
        void *symbol;
        int (*function)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    } real = {.symbol = dlsym(RTLD_NEXT, "getaddrinfo")};
    const char *end = node ? strrchr(node, '.') : NULL;

    if (!end || strcmp(end, ".silent") != 0)
        return real.function(node, service, hints, ret);
    note(node);
    for (unsigned left = LOOK_UP_S; left;)
        left = sleep(left);
    return EAI_AGAIN;
}
