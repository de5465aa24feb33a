/*
 * upload_orphans - multipart uploads of ours whose id was never learned.
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

struct upload_orphans {
    enum { UPLOAD_ORPHANS_LIST, UPLOAD_ORPHANS_INSPECT, UPLOAD_ORPHANS_ABORT } next;
    const char *key; /* borrowed */
    struct s3_xml_listing candidates;
    size_t index;
};

/* Begins anew; what an earlier search held is freed. */
void upload_orphans_begin(struct upload_orphans *orphans, const char *key);
void upload_orphans_done(struct upload_orphans *orphans);

/* The next request of the search. */
struct s3_call upload_orphans_call(const struct upload_orphans *orphans);

/*
 * Takes the reply, of any outcome but those to be repeated. False at the end of the search. A
 * refusal ends the search or passes over a candidate: it is no reason to fail an upload.
 */
bool upload_orphans_take_reply(struct upload_orphans *orphans, struct s3_result *result);

#endif
