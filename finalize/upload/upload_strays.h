/*
 * upload_strays - multipart uploads of ours whose id was never learned.
 *
 * When the reply to CreateMultipartUpload is lost, an upload may exist that nobody knows and that
 * is paid for. Such a one has our key and no parts, since nobody could send any: those are aborted.
 * One with parts belongs to somebody who is at work, and is left alone. Used by upload.c alone.
 */
#ifndef FINALIZE_UPLOAD_ORPHANS_H
#define FINALIZE_UPLOAD_ORPHANS_H

#include "finalize/s3/s3.h"

#include <stdbool.h>
#include <stddef.h>

struct upload_strays {
    enum { UPLOAD_STRAYS_LIST, UPLOAD_STRAYS_INSPECT, UPLOAD_STRAYS_ABORT } next;
    const char *key; /* borrowed */
    struct s3_xml_listing candidates;
    size_t index;
};

/* Begins anew; what an earlier search held is freed. */
void upload_strays_begin(struct upload_strays *strays, const char *key);
void upload_strays_done(struct upload_strays *strays);

/* The next request of the search. */
struct s3_call upload_strays_call(const struct upload_strays *strays);

/*
 * Takes the reply, of any outcome but those to be repeated. False at the end of the search. A
 * refusal ends the search or passes over a candidate: it is no reason to fail an upload.
 */
bool upload_strays_take_reply(struct upload_strays *strays, struct s3_result *result);

#endif
