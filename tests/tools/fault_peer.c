#include "tests/tools/fault_peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

_Noreturn void peer_die(const char *what, const char *detail)
{
    fprintf(stderr, "fault-proxy: %s: %s\n", what, detail);
    exit(EXIT_FAILURE);
}

void *peer_not_null(void *pointer)
{
    if (!pointer)
        peer_die("no memory", strerror(ENOMEM));
    return pointer;
}

ssize_t peer_read(struct peer *peer, char *out, size_t size)
{
    ssize_t got;

    if (peer->position < peer->length) {
        size_t have = peer->length - peer->position;

        size = size < have ? size : have;
        memcpy(out, peer->buffer + peer->position, size);
        peer->position += size;
        return (ssize_t)size;
    }
    do
        got = peer->ssl ? SSL_read(peer->ssl, out, (int)size) : recv(peer->fd, out, size, 0);
    while (got < 0 && !peer->ssl && errno == EINTR);
    return got;
}

/* For what is not taken after all. */
static void put_back(struct peer *peer, const char *bytes, size_t length)
{
    memcpy(peer->buffer, bytes, length);
    peer->position = 0;
    peer->length = length;
}

bool peer_write(struct peer *peer, const char *bytes, size_t length)
{
    while (length) {
        ssize_t sent = peer->ssl ? SSL_write(peer->ssl, bytes, (int)length)
                                 : send(peer->fd, bytes, length, MSG_NOSIGNAL);

        if (sent < 0 && !peer->ssl && errno == EINTR)
            continue;
        if (sent <= 0)
            return false;
        bytes += sent;
        length -= (size_t)sent;
    }
    return true;
}

void peer_reset_on_close(const struct peer *peer)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};

    setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

void peer_wait_for_end(const struct peer *peer)
{
    struct pollfd poll_fd = {.fd = peer->fd, .events = POLLRDHUP};

    while (poll(&poll_fd, 1, -1) < 0 && errno == EINTR)
        continue;
}

bool peer_has_left(const struct peer *peer)
{
    struct pollfd poll_fd = {.fd = peer->fd, .events = POLLRDHUP};

    return poll(&poll_fd, 1, 0) > 0;
}

size_t peer_read_head(struct peer *peer, char *head)
{
    size_t length = 0;

    while (length < PEER_HEAD_SIZE - 1) {
        ssize_t got = peer_read(peer, head + length, PEER_HEAD_SIZE - 1 - length);
        char *end;

        if (got <= 0)
            return 0;
        length += (size_t)got;
        end = memmem(head, length, "\r\n\r\n", 4);
        if (end) {
            size_t head_length = (size_t)(end - head) + 4;

            put_back(peer, end + 4, length - head_length);
            *(end + 4) = 0;
            return head_length;
        }
    }
    return 0;
}

void peer_find_value(const char *text, const char *name, const char *ends, char *out, size_t size)
{
    const char *found = strcasestr(text, name);
    size_t length;

    *out = 0;
    if (!found)
        return;
    found += strlen(name);
    found += strspn(found, " ");
    length = strcspn(found, ends);
    snprintf(out, size, "%.*s", (int)length, found);
}

uint64_t peer_find_number(const char *text, const char *name)
{
    char value[32];

    peer_find_value(text, name, "\r& ", value, sizeof value);
    return strtoull(value, NULL, 10);
}

struct peer *peer_connect(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct peer *peer = peer_not_null(calloc(1, sizeof *peer));

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    peer->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (peer->fd < 0 || connect(peer->fd, (struct sockaddr *)&address, sizeof address) != 0)
        peer_reset_on_close(peer);
    return peer;
}

void peer_close(struct peer *peer)
{
    if (!peer)
        return;
    if (peer->fd >= 0)
        close(peer->fd);
    SSL_free(peer->ssl);
    free(peer);
}
