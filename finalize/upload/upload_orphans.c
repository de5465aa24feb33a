#include "finalize/upload/upload_orphans.h"

void upload_orphans_begin(struct upload_orphans *orphans, const char *key)
{
    upload_orphans_done(orphans);
    orphans->key = key;
}

void upload_orphans_done(struct upload_orphans *orphans)
{
    s3_xml_listing_done(&orphans->candidates);
    *orphans = (struct upload_orphans){.next = UPLOAD_ORPHANS_LIST};
}

struct s3_call upload_orphans_call(const struct upload_orphans *orphans)
{
    struct s3_call call = {.key = orphans->key, .fd = -1};

    if (orphans->next == UPLOAD_ORPHANS_LIST) {
        call.operation = S3_LIST_UPLOADS;
        return call;
    }
    call.operation = orphans->next == UPLOAD_ORPHANS_INSPECT ? S3_LIST_PARTS : S3_ABORT_UPLOAD;
    call.upload_id = orphans->candidates.items[orphans->index].upload_id;
    return call;
}

static bool next_candidate(struct upload_orphans *orphans)
{
    orphans->index++;
    orphans->next = UPLOAD_ORPHANS_INSPECT;
    return orphans->index < orphans->candidates.count;
}

bool upload_orphans_take_reply(struct upload_orphans *orphans, struct s3_result *result)
{
    switch (orphans->next) {
    case UPLOAD_ORPHANS_LIST:
        if (result->outcome != S3_DONE)
            return false;
        orphans->candidates = result->listing; /* taken */
        result->listing = (struct s3_xml_listing){0};
        orphans->index = 0;
        orphans->next = UPLOAD_ORPHANS_INSPECT;
        return orphans->candidates.count > 0;
    case UPLOAD_ORPHANS_INSPECT:
        if (result->outcome == S3_DONE && !result->listing.count) {
            orphans->next = UPLOAD_ORPHANS_ABORT;
            return true;
        }
        return next_candidate(orphans);
    case UPLOAD_ORPHANS_ABORT:
        return next_candidate(orphans);
    }
    return false;
}
