#include "tests/tools/fault_reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define REPLY_SIZE    (4u * 1024 * 1024)
#define HUGE_BYTES    (100u * 1024 * 1024)
#define DRIPPED_BYTES 25u

/* Reads `length` bytes more into the reply. */
static bool read_exactly(struct peer *peer, struct reply *reply, size_t length)
{
    while (length && reply->length < REPLY_SIZE) {
        size_t room = REPLY_SIZE - reply->length;
        ssize_t got = peer_read(peer, reply->bytes + reply->length, length < room ? length : room);

        if (got <= 0)
            return false;
        reply->length += (size_t)got;
        length -= (size_t)got;
    }
    return !length;
}

static bool read_line(struct peer *peer, struct reply *reply, size_t *ret_begin)
{
    *ret_begin = reply->length;
    do
        if (!read_exactly(peer, reply, 1))
            return false;
    while (reply->bytes[reply->length - 1] != '\n');
    reply->bytes[reply->length] = 0;
    return true;
}

static bool read_chunks(struct peer *peer, struct reply *reply)
{
    size_t begin, length;

    do {
        if (!read_line(peer, reply, &begin))
            return false;
        length = strtoul(reply->bytes + begin, NULL, 16);
        if (!read_exactly(peer, reply, length + 2))
            return false;
    } while (length);
    return true;
}

bool reply_read(struct peer *peer, const char *method, struct reply *reply)
{
    char coding[32];

    reply->bytes = peer_not_null(malloc(REPLY_SIZE + 1));
    reply->length = reply->head_length = peer_read_head(peer, reply->bytes);
    if (!reply->length)
        return false;
    reply->status = atoi(reply->bytes + strcspn(reply->bytes, " "));
    reply->ends_connection = strcasestr(reply->bytes, "\r\nConnection: close") != NULL;
    if (!strcmp(method, "HEAD") || reply->status == 204 || reply->status == 304)
        return true;
    peer_find_value(reply->bytes, "\r\nTransfer-Encoding:", "\r", coding, sizeof coding);
    if (!strcasecmp(coding, "chunked"))
        return read_chunks(peer, reply);
    return read_exactly(peer, reply, peer_find_number(reply->bytes, "\r\nContent-Length:"));
}

/* ---- the client's side: made-up replies ------------------------------------------------------ */

static bool write_noise(struct peer *client, size_t length)
{
    char noise[PEER_CHUNK_BYTES];
    uint32_t state = 1;

    for (size_t i = 0; i < sizeof noise; i++) {
        state = state * 1664525u + 1013904223u;
        noise[i] = (char)(state >> 24);
    }
    while (length) {
        size_t some = length < sizeof noise ? length : sizeof noise;

        if (!peer_write(client, noise, some))
            return false;
        length -= some;
    }
    return true;
}

static size_t write_error_xml(const struct fault *fault, char *out, size_t size)
{
    bool region = fault->header && strstr(fault->header, "region");

    return (size_t)snprintf(
        out, size,
        "%s<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code><Message>%s</Message>"
        "%s<RequestId>fault</RequestId></Error>",
        fault->late ? "\n   \n   " : "", fault->code,
        fault->empty_message ? "" : "This went wrong, as was asked.",
        region ? "<Region>eu-north-9</Region>" : "");
}

bool reply_make_up(struct peer *client, const char *method, const struct fault *fault,
                   int other_port, int *ret_status)
{
    static const char html[] = "<html><head><title>Sorry</title></head><body><p>Back soon.<br>\n"
                               "<img src=x></body></html>\n";
    char body[1024] = "", head[1024], header[256] = "", other_host[64], date[64];
    size_t length = 0;
    time_t now = time(NULL);
    struct tm tm;
    int head_length;

    if (fault->body == FAULT_BODY_XML)
        length = write_error_xml(fault, body, sizeof body);
    else if (fault->body == FAULT_BODY_HTML)
        length = (size_t)snprintf(body, sizeof body, "%s", html);
    else if (fault->body != FAULT_BODY_NONE)
        length = fault->body == FAULT_BODY_HUGE ? HUGE_BYTES : 5000;
    snprintf(other_host, sizeof other_host, "localhost:%d", other_port);
    if (fault->header) {
        const char *hole = strstr(fault->header, "%s");

        snprintf(header, sizeof header, "%.*s%s%s\r\n",
                 hole ? (int)(hole - fault->header) : (int)strlen(fault->header), fault->header,
                 hole ? other_host : "", hole ? hole + 2 : "");
    }
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &tm));
    head_length = snprintf(head, sizeof head,
                           "HTTP/1.1 %d Fault\r\nDate: %s\r\nContent-Type: application/xml\r\n"
                           "%sContent-Length: %zu\r\n\r\n",
                           fault->status, date, header, length);
    *ret_status = fault->status;
    if (!peer_write(client, head, (size_t)head_length) || !strcmp(method, "HEAD"))
        return true;
    if (fault->body == FAULT_BODY_HUGE || fault->body == FAULT_BODY_NOISE)
        return write_noise(client, length);
    return peer_write(client, body, length);
}

/* ---- the client's side: spoilt replies ------------------------------------------------------- */

static bool drip(struct peer *client, const struct reply *reply)
{
    size_t dripped = reply->length < DRIPPED_BYTES ? reply->length : DRIPPED_BYTES;

    for (size_t i = 0; i < dripped; i++) {
        const struct timespec pause = {.tv_nsec = 100000000};

        if (!peer_write(client, reply->bytes + i, 1))
            return false;
        nanosleep(&pause, NULL);
    }
    return peer_write(client, reply->bytes + dripped, reply->length - dripped);
}

static void change_etag(struct reply *reply)
{
    char *etag;

    reply->bytes[reply->length] = 0;
    etag = strcasestr(reply->bytes, "\r\nETag: \"");
    if (etag)
        memcpy(etag + 9, "00000000", 8);
}

/* Our own metadata get a name that no client asks for. */
static void hide_metadata(struct reply *reply)
{
    char *header = reply->bytes;

    reply->bytes[reply->length] = 0;
    while ((header = strcasestr(header, "\r\nx-amz-meta-")))
        memcpy(header + 2, "x-was", 5);
}

/* One digit of its length is another one. */
static void change_size(struct reply *reply)
{
    char *length;

    reply->bytes[reply->length] = 0;
    length = strcasestr(reply->bytes, "\r\nContent-Length: ");
    if (length)
        length[18] = length[18] == '9' ? '8' : (char)(length[18] + 1);
}

/* How much of the reply a cut leaves. */
static size_t half_of(const struct reply *reply, bool within_headers)
{
    const char *length_line = strcasestr(reply->bytes, "\r\nContent-Length:");

    if (!within_headers && reply->length > reply->head_length)
        return reply->head_length + (reply->length - reply->head_length) / 2;
    /* After the length, which is what a HEAD is about, and before all that comes later. */
    if (length_line && length_line < reply->bytes + reply->head_length / 2)
        return (size_t)(strstr(length_line + 2, "\r\n") - reply->bytes) + 2;
    return reply->head_length / 2;
}

bool reply_hand_back(struct peer *client, const struct fault *fault, struct reply *reply,
                     int *ret_status)
{
    enum fault_action action = fault ? fault->action : FAULT_ANSWER;
    size_t half = half_of(reply, action == FAULT_CUT_HEADERS);

    switch (action) {
    case FAULT_LOSE:
        peer_reset_on_close(client);
        return false;
    case FAULT_LOSE_QUIETLY:
        peer_wait_for_end(client);
        return false;
    case FAULT_CUT:
    case FAULT_CUT_HEADERS:
        (void)peer_write(client, reply->bytes, half);
        return false;
    case FAULT_RESET_REPLY: {
        const struct timespec pause = {.tv_nsec = 50000000};

        (void)peer_write(client, reply->bytes, half);
        nanosleep(&pause, NULL); /* else the client may see the reset alone */
        peer_reset_on_close(client);
        return false;
    }
    case FAULT_HALF:
        (void)peer_write(client, reply->bytes, half);
        peer_wait_for_end(client);
        return false;
    case FAULT_DRIP:
        *ret_status = reply->status;
        return drip(client, reply) && !reply->ends_connection;
    case FAULT_OTHER_ETAG:
        change_etag(reply);
        break;
    case FAULT_NO_METADATA:
        hide_metadata(reply);
        break;
    case FAULT_OTHER_SIZE:
        change_size(reply);
        break;
    default:
        break;
    }
    if (peer_has_left(client))
        return false; /* which hears of nothing any more */
    *ret_status = reply->status;
    return peer_write(client, reply->bytes, reply->length) && !reply->ends_connection;
}
