/*
 * transfer - one request on its way through libcurl: how libcurl is asked for it, the body that it
 * is given, the reply that it brings, and what its end means. Internal to the loop.
 *
 * transfer.c tells libcurl of the request and moves its bytes, transfer_end.c ends it. They know
 * nothing of waiting, nor of other transfers but for what they share. libcurl's header is included
 * here and in loop.c alone.
 */
#pragma once

#include "finalize/http/http.h"
#include "finalize/http/rate.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

struct transfer_share {       /* what all transfers of a loop share */
    const char *ca_file;      /* NULL: the system's authorities; borrowed, as all strings here */
    const char *ca_directory; /* of those, by hashed names; NULL: libcurl's own defaults */
    const char *proxy;        /* NULL: libcurl's own variables */
    uint64_t connect_timeout_ms;
    struct rate rate;    /* of request bodies */
    uint64_t bytes_sent; /* of request bodies */
};

struct transfer {
    struct transfer *next;
    struct transfer_share *share; /* borrowed */
    CURL *easy;                   /* the loop's: NULL while there is none */
    struct curl_slist *headers;
    struct http_request request; /* owned, as the reply */
    struct http_reply reply;
    void *owner;
    unsigned slot;
    uint64_t position; /* of the body: bytes given to curl */
    uint64_t began_ms; /* 0: libcurl has not worked on it yet */
    uint64_t moved;    /* bytes sent and received when it was last looked at */
    uint64_t moved_at_ms;
    size_t blanks; /* how many the reply's body ends with, so far */
    bool paused;   /* waits for the rate limit */
    bool headers_ended;
    bool ended;     /* the reply is complete, or failed */
    bool let_go;    /* libcurl has ended with it */
    bool forgotten; /* only libcurl still has it, which looks its name up */
    char curl_error[CURL_ERROR_SIZE];
};

/*
 * Tells `easy`, which is as new, all about the request; `others` is how many transfers are under
 * way already. False: no memory.
 */
bool transfer_set_up(struct transfer *transfer, unsigned others)
    __attribute__((warn_unused_result));

/* Notes why it fails. The first reason counts; what libcurl says of its end comes after it. */
void transfer_fail(struct transfer *transfer, enum http_failure failure, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* libcurl has ended it with `code`: the reply is what the caller of the loop may have, unless it
 * was ended before. */
void transfer_end(struct transfer *transfer, CURLcode code);

/* Ends it when its time is over: while its name is looked up, when no byte moved for its idle
 * timeout, or as a whole. (While it connects, libcurl counts.) True
 * when that was now. */
bool transfer_watch(struct transfer *transfer, uint64_t now_ms);

/* Whether its name is being looked up. That is a thread of libcurl's in getaddrinfo(), which cannot
 * be stopped: libcurl before 7.87 waits for it when it is told to let go. */
bool transfer_is_resolving(const struct transfer *transfer);

/* Whether its connection stands, so that the peer may act on it. */
bool transfer_is_sent(const struct transfer *transfer);

/* From now on it does nothing but wait for the end of that look-up. */
void transfer_forget(struct transfer *transfer);

/* Frees all that it owns, not itself; accepts a half-built one. After libcurl was told to let go.
 */
void transfer_done(struct transfer *transfer);
