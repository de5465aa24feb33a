/*
 * upload_strays - multipart uploads of ours whose id was never learned.
 *
 * When the reply to CreateMultipartUpload is lost, an upload may exist whose id no journal has
 * and that is paid for. It has our key and no parts, since sending them takes the id: those are
 * aborted. One with parts is another process's, and is left alone.
 */
#ifndef FINALIZE_UPLOAD_STRAYS_H
#define FINALIZE_UPLOAD_STRAYS_H

#include "finalize/s3/s3.h"

#include <stdbool.h>
#include <stddef.h>

struct upload_strays {
    enum s3_operation next; /* S3_LIST_UPLOADS, then of each candidate S3_LIST_PARTS and, when it
                               has none, S3_ABORT_UPLOAD */
    const char *key;        /* borrowed */
    struct s3_xml_listing candidates;
    size_t index;
};

/* Begins a search; what an earlier search held is freed. */
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
