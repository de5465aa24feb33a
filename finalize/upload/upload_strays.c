#include "finalize/upload/upload_strays.h"

void upload_strays_begin(struct upload_strays *strays, const char *key)
{
    upload_strays_done(strays);
    strays->key = key;
}

void upload_strays_done(struct upload_strays *strays)
{
    s3_xml_listing_done(&strays->candidates);
    *strays = (struct upload_strays){.next = S3_LIST_UPLOADS};
}

struct s3_call upload_strays_call(const struct upload_strays *strays)
{
    struct s3_call call = {.operation = strays->next, .key = strays->key, .fd = -1};

    if (strays->next != S3_LIST_UPLOADS)
        call.upload_id = strays->candidates.items[strays->index].upload_id;
    return call;
}

static bool next_candidate(struct upload_strays *strays)
{
    strays->index++;
    strays->next = S3_LIST_PARTS;
    return strays->index < strays->candidates.count;
}

bool upload_strays_take_reply(struct upload_strays *strays, struct s3_result *result)
{
    switch (strays->next) {
    case S3_LIST_UPLOADS:
        if (result->outcome != S3_DONE)
            return false;
        strays->candidates = result->listing; /* taken */
        result->listing = (struct s3_xml_listing){0};
        strays->index = 0;
        strays->next = S3_LIST_PARTS;
        return strays->candidates.count > 0;
    case S3_LIST_PARTS:
        if (result->outcome == S3_DONE && !result->listing.count) {
            strays->next = S3_ABORT_UPLOAD;
            return true;
        }
        return next_candidate(strays);
    default:
        return next_candidate(strays);
    }
}
