/*
 * upload_listing - the journal's parts of an upload made to agree with those that ListParts shows.
 *
 * A part that the bucket does not show is forgotten, to be sent again; one that it shows
 * differently, or that the journal does not know, is noted without a fingerprint, so that its bytes
 * are compared before it counts. Used by upload*.c alone.
 */
#pragma once

#include "finalize/journal/journal.h"
#include "finalize/s3/s3_xml.h"
#include "finalize/upload/resend.h"

#include <stdbool.h>

struct upload_listing {
    struct journal *journal; /* borrowed */
    struct resends *resends; /* counted in; borrowed, may be NULL */
    int64_t file_id;
    unsigned compared;       /* the parts up to this number; the marker for the next page */
    unsigned highest_listed; /* 0: the bucket shows none */
};

/*
 * Compares one page, in one write to the journal. Pages must come in ascending order; what is not,
 * is passed over.
 */
bool upload_listing_compare(struct upload_listing *listing, const struct s3_xml_listing *page,
                            struct error *err) __attribute__((warn_unused_result));
