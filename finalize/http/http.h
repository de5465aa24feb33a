/*
 * http - a request and its reply, as values.
 *
 * What builds requests (s3.h, notice.h) and what moves bytes (loop.h) meet here and know nothing
 * else of each other.
 */
#pragma once

#include "finalize/base/buffer.h"
#include "finalize/base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

enum http_body_kind { HTTP_BODY_NONE, HTTP_BODY_MEMORY, HTTP_BODY_FILE };

/* A request's body. A file's bytes are read while they are sent and never kept. */
struct http_body {
    enum http_body_kind kind;
    struct buffer memory; /* HTTP_BODY_MEMORY: owned */
    int fd;               /* HTTP_BODY_FILE: borrowed, open until the request has ended */
    uint64_t offset;
    uint64_t length; /* bytes to send, of either kind */
};

struct http_request {
    const char *method; /* "GET", "HEAD", "PUT", "POST" or "DELETE": a literal */
    char *url;          /* owned; sent as it is, dot segments included */
    char **headers;     /* owned; "Name: value" lines, ended by NULL; may be NULL */
    struct http_body body;
    uint64_t idle_timeout_ms; /* given up when no byte moves for this long; 0: never */
    uint64_t timeout_ms;      /* given up when it has not ended after this long; 0: never */
    size_t reply_ceiling;     /* most bytes of reply body that are kept; more is a failure, but for
                                 white space: of a long run only the beginning is kept */
    bool direct;              /* without a proxy, whatever the settings say */
    bool must_finish; /* what it does can't be taken back or told from its absence: a stop waits a
                         moment for its reply (loop_must_finish()) */
};

enum http_failure {
    HTTP_OK = 0,           /* a whole reply arrived, whatever its status */
    HTTP_FAILED_RESOLVE,   /* the name has no address, or none was found in time */
    HTTP_FAILED_CONNECT,   /* no listener, no route, time-out before the connection stood */
    HTTP_FAILED_TLS,       /* certificate or handshake refused */
    HTTP_FAILED_PROXY,     /* the proxy refuses: its user, its password, or the way to the server */
    HTTP_FAILED_TRANSFER,  /* broken while sending or receiving; the peer may have acted */
    HTTP_FAILED_TIMEOUT,   /* idle for too long; the peer may have acted */
    HTTP_FAILED_TOO_LARGE, /* the reply is longer than reply_ceiling */
    HTTP_FAILED_LOCAL      /* our side: the file could not be read, no memory */
};

struct http_reply {
    enum http_failure failure;
    int status;            /* 0 when none arrived */
    char detail[256];      /* for people, when failure is not HTTP_OK */
    struct buffer headers; /* raw header lines of the last reply, "Name: value\r\n" */
    struct buffer body;
    uint64_t bytes_sent; /* of the request's body */
};

/* What a failure says of the way to the server. */
enum error_network http_failed_network(enum http_failure failure);

/*
 * Sets up an empty request. The method is borrowed and must outlive the request (a literal).
 * http_request_done() frees all that it owns; it accepts a half-built one.
 */
void http_request_init(struct http_request *request, const char *method);
void http_request_done(struct http_request *request);

/* Adds "name: value". False when memory ran out or the value has a control character in it. */
bool http_request_add_header(struct http_request *request, const char *name, const char *value)
    __attribute__((warn_unused_result));

void http_reply_init(struct http_reply *reply, size_t body_ceiling);
void http_reply_done(struct http_reply *reply);

/*
 * Copies the value of header `name` (any case, white space trimmed; of several, the last) to
 * `ret_value`, cut at `size` - 1 bytes. False, and "", when there is none.
 */
bool http_reply_header(const struct http_reply *reply, const char *name, char *ret_value,
                       size_t size);

/* Reads "Sun, 06 Nov 1994 08:49:37 GMT". */
bool http_read_date(const char *text, time_t *ret_time);

/* Seconds by which the reply's Date is ahead of `now`. False when it has none or an unreadable one.
 */
bool http_reply_clock(const struct http_reply *reply, time_t now, long *ret_ahead);

/* Milliseconds that Retry-After asks for, at most an hour: given in seconds, or as a time by the
 * reply's own Date (RFC 9110, 10.2.3). 0 where it has none that can be read. */
uint64_t http_reply_retry_after(const struct http_reply *reply);
