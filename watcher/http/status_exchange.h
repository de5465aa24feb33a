/*
 * status_exchange - a request to the status server, the facts that it is answered from, and its
 * reply: as values, without a socket or an HTTP library.
 */
#pragma once

#include "config/settings.h"
#include "finalize/base/buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STATUS_MOST_PARAMETERS 8u

struct status_parameter {
    const char *name;
    const char *value; /* NULL: without "=" */
};

struct status_request { /* all strings are borrowed, and percent-decoded where that is due */
    const char *method;
    const char *path;
    const char *host;          /* the header's value; NULL: there is none */
    const char *authorization; /* the header's value; NULL: there is none */
    struct status_parameter parameters[STATUS_MOST_PARAMETERS];
    unsigned parameter_count; /* may be more than there is room for: then it is refused */
    bool has_body;
};

/* The latest report of the watcher's main loop. */
struct status_loop_report {
    bool suspended;  /* the settings cannot be used: nothing is begun */
    bool disk_fills; /* false: it does not, or this is not known yet */
    uint64_t disk_full_in_seconds;
};

/* What the server knows beside the journal. */
struct status_facts {
    const struct settings *settings;
    const char *journal;        /* its path */
    const char *recordings_dir; /* NULL: unknown */
    int64_t now;                /* seconds since 1970 */
    uint64_t silent_ms;         /* since the main loop last reported, or started */
    bool reported;              /* false: no report yet, and `loop` is zero */
    struct status_loop_report loop;
};

struct status_reply {
    unsigned status;
    const char *content_type; /* a literal */
    const char *allow;        /* value of an Allow header, or NULL */
    bool ask_for_token;       /* WWW-Authenticate: Bearer */
    const void *fixed;        /* a body that never changes, or NULL */
    size_t fixed_length;
    struct buffer body; /* when `fixed` is NULL; owned: buffer_done() */
};

struct status_exchange {
    const struct status_facts *facts;
    const struct status_request *request;
    struct status_reply *reply; /* with an empty body */
};

/* The reply is one line of text, whatever was in its body before. */
void status_exchange_say(struct status_exchange *exchange, unsigned status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
