/*
 * error - why something did not work, as a value in the caller's hands.
 *
 * Knows the kinds of failure on which a caller acts differently, and nothing of what failed. Never
 * allocates. The first cause wins: once filled, an error is not overwritten on its way up. The text
 * says what failed, on what and why; what to do about it is explain.h's to add, once, at the top.
 */
#pragma once

#include <stdbool.h>

enum error_kind {
    ERROR_NONE = 0,
    ERROR_TRANSIENT, /* may go away by itself: trying again later is safe and useful */
    ERROR_PERMANENT, /* will not go away by itself: a person is needed */
    ERROR_SETTINGS,  /* the settings cannot be used */
    ERROR_USAGE,     /* the command line cannot be used */
    ERROR_NO_INPUT,  /* there is nothing to upload */
    ERROR_DAMAGED,   /* the journal is damaged: it can be set aside and rebuilt */
    ERROR_CHANGED,   /* a local file is not what it was a moment ago: look again */
    ERROR_STOPPED    /* we were told to stop, or the time that we were given is over */
};

/* Which part of reaching a server did not work. */
enum error_network {
    ERROR_NETWORK_NONE = 0,
    ERROR_NETWORK_NAME,       /* its name has no address */
    ERROR_NETWORK_CONNECTION, /* no answer there, or not in time */
    ERROR_NETWORK_TLS,        /* its certificate is not accepted */
    ERROR_NETWORK_PROXY       /* the proxy refuses */
};

struct error {
    enum error_kind kind;
    enum error_network network;
    bool from_backend; /* it is about the backend, not about S3 or this machine */
    int sys_errno;     /* errno that caused it, or 0 */
    int http_status;   /* HTTP status that caused it, or 0 */
    char s3_code[64];  /* <Code> of the S3 error reply, or "" */
    char text[640];    /* one line, without control characters, without secrets */
};

#define ERROR_INIT         \
    {                      \
        .kind = ERROR_NONE \
    }

/*
 * Fills `err` unless it is filled already. Always returns false, so that a function can end with
 * `return error_set(...)`. Control characters in the text, and bytes that are not UTF-8, are
 * replaced by '?'.
 */
bool error_set(struct error *err, enum error_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* As error_set(), with ": <text of errno_value>" added and sys_errno kept. */
bool error_set_errno(struct error *err, enum error_kind kind, int errno_value, const char *format,
                     ...) __attribute__((format(printf, 4, 5)));

/* Empties `err`, so that it can be filled again. */
void error_clear(struct error *err);
