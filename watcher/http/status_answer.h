/*
 * status_answer - what the watcher answers over HTTP: which paths there are, who may read them, and
 * what they say. Reads the journal; knows no socket and no HTTP library, so that tests ask it
 * without a network.
 *
 * Read-only: nothing that is asked changes anything. No setting, token or credential is in any
 * answer.
 */
#ifndef WATCHER_STATUS_ANSWER_H
#define WATCHER_STATUS_ANSWER_H

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
    const char *authorization; /* the header's value; NULL: there is none */
    struct status_parameter parameters[STATUS_MOST_PARAMETERS];
    unsigned parameter_count; /* may be more than there is room for: then it is refused */
    bool has_body;
};

/* What the server knows beside the journal. */
struct status_facts {
    const struct settings *settings;
    const char *journal;        /* its path */
    const char *recordings_dir; /* NULL: unknown */
    int64_t now;                /* seconds since 1970 */
    uint64_t silent_ms;         /* since the main loop gave its last sign of life */
    bool suspended;             /* the settings cannot be used */
    bool trend_known, disk_fills;
    uint64_t disk_full_in_seconds;
};

struct status_reply {
    unsigned status;
    const char *content_type; /* a literal */
    const char *allow;        /* value of an Allow header, or NULL */
    bool ask_for_token;       /* WWW-Authenticate: Bearer */
    const void *fixed;        /* the body when it is one that never changes; else NULL */
    size_t fixed_length;
    struct buffer body; /* else; owned: buffer_done() */
};

/* Fills `ret_reply` in any case. */
void status_answer(const struct status_facts *facts, const struct status_request *request,
                   struct status_reply *ret_reply);

/* The header that keeps a page from running what a name may hold. */
#define STATUS_CONTENT_SECURITY_POLICY                                              \
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " \
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "                 \
    "require-trusted-types-for 'script'; trusted-types 'none'"

#endif
