/*
 * notice - telling the backend that a recording is in the bucket: the request built, the reply
 * judged. No I/O. Includes jansson.h, as metadata does: what they have in common is JSON alone.
 *
 * The backend adds a row for every accepted notice: an accepted one must never be repeated, and one
 * whose fate is unknown is repeated with the same Idempotency-Key.
 */
#pragma once

#include "config/settings.h"
#include "finalize/base/buffer.h"
#include "finalize/base/error.h"
#include "finalize/http/http.h"
#include "finalize/journal/stats.h"

#include <stdbool.h>
#include <stdint.h>

/* POST <base>/api/v1/Recording/AddS3VideoRecording */
struct notice {
    int32_t meeting_id;
    const char
        *file_name; /* bare and true; must be UTF-8 for JSON: bytes that are not become U+FFFD */
    uint64_t file_size;
    const char *bucket;
    const char *key;
    const char *mark; /* 32 hex digits; becomes the Idempotency-Key, spelled as a UUID */
};

/* Appends the URL notices go to: <CONFOMEET_BASE_URL without final slashes, or
 * http://$XMPP_DOMAIN/meet>/api/v1/Recording/AddS3VideoRecording. */
void notice_url(const struct settings *settings, struct buffer *out);

/* Builds the request: JSON body, Authorization: Bearer where a token is set. Fails for want of
 * memory (ERROR_TRANSIENT) or when the token has a control character in it (ERROR_SETTINGS). The
 * caller calls http_request_done() in any case. */
bool notice_build(const struct settings *settings, const struct notice *notice,
                  struct http_request *ret_request, struct error *err)
    __attribute__((warn_unused_result));

enum notice_outcome { /* as they are counted */
                      NOTICE_ACCEPTED = STATS_NOTICE_ACCEPTED,
                      NOTICE_RETRY =
                          STATS_NOTICE_RETRY, /* may work when it is sent again: 408, 425, 429, 5xx,
                                                 no connection, no reply */
                      NOTICE_REFUSED = STATS_NOTICE_REFUSED /* 400, redirects, other 4xx, a 2xx
                                                               whose body isn't {"id": > 0, …} */
};

struct notice_result {
    enum notice_outcome outcome;
    bool sent;           /* false: no connection was made, the backend cannot have acted. A reply
                            with an error status is "sent" too. */
    bool may_be_taken;   /* NOTICE_REFUSED: a 2xx that named no row, and is no page */
    int64_t backend_row; /* NOTICE_ACCEPTED: the id in the reply */
    uint64_t retry_after_ms; /* http_reply_retry_after() */
    struct error error;      /* unless accepted: e.g. "backend refused the notice of <file>: 400
                                Validation failed: meetingId …" */
};

/* Judges the reply. `file_name` is for the error's text. Of a problem+json body the title, detail
 * and errors are quoted, cut to what fits one line. The token is in no text, even if the backend
 * repeats it; neither are user, password and query of the place a redirect points to. */
void notice_read(const struct settings *settings, const char *file_name,
                 const struct http_reply *reply, struct notice_result *ret_result);
