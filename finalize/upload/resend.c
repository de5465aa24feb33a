#include "finalize/upload/resend.h"

#include "config/units.h"
#include "finalize/journal/journal.h"
#include "finalize/s3/s3_code.h"

#include <stdio.h>

const char *resend_text(enum resend_reason reason)
{
    static const char *const texts[RESEND_REASONS] = {
        [RESEND_NOT] = "",
        [RESEND_BYTES_CHANGED] = "the bytes changed since they were sent",
        [RESEND_INDEXED] = "its first bytes changed since, when the recording got its index",
        [RESEND_NOT_LISTED] = "the bucket does not list what it acknowledged",
        [RESEND_ETAG_DIFFERS] = "the bucket lists another ETag than it acknowledged",
        [RESEND_UNACKNOWLEDGED] = "a run ended before the bucket acknowledged them",
        [RESEND_SLOW_DOWN] = "the server asked for fewer requests",
        [RESEND_SERVER_ERROR] = "the server answered with an error",
        [RESEND_BROKEN_OFF] = "the connection broke off before they were acknowledged",
        [RESEND_DAMAGED] = "the server received other bytes than were read",
        [RESEND_SIGNATURE] = "the server asked for another signature",
        [RESEND_UPLOAD_GONE] = "the bucket does not know the upload any more",
        [RESEND_PARTS_REFUSED] = "the server refuses to complete the parts that it acknowledged",
        [RESEND_KEY_TAKEN] = "another object took the key",
        [RESEND_SHORTER_FILE] = "the bucket holds parts that the file does not have any more",
        [RESEND_NOT_THERE] = "the server said that the object was stored, but it is not there",
        [RESEND_NOT_THERE_ANY_MORE] = "the object is not in the bucket any more",
        [RESEND_OTHER_BUCKET] = "the settings name another bucket than it was sent to",
    };

    return texts[reason];
}

enum resend_reason resend_reason_of(const struct s3_result *result)
{
    if (!result->sent)
        return RESEND_NOT;
    /* Damaged on the way, or written to since they were hashed. */
    if (s3_code_of_error(&result->error)->meaning == S3_MEANS_DAMAGED)
        return RESEND_DAMAGED;
    if (result->outcome == S3_SLOW_DOWN)
        return RESEND_SLOW_DOWN;
    return result->error.http_status ? RESEND_SERVER_ERROR : RESEND_BROKEN_OFF;
}

void resend_add(struct resends *resends, enum resend_reason reason, uint64_t bytes)
{
    if (!resends || reason == RESEND_NOT)
        return;
    resends->of[reason].parts++;
    resends->of[reason].bytes += bytes;
}

bool resend_take_sentence(struct resends *resends, char ret_sentence[RESEND_SENTENCE_SIZE])
{
    for (unsigned reason = 0; reason < RESEND_REASONS; reason++) {
        unsigned parts = resends->of[reason].parts;
        char size[32];

        if (!parts)
            continue;
        snprintf(ret_sentence, RESEND_SENTENCE_SIZE, JOURNAL_SENT_AGAIN "%u part%s, %s: %s", parts,
                 parts == 1 ? "" : "s",
                 units_format_size(resends->of[reason].bytes, size, sizeof size),
                 resend_text((enum resend_reason)reason));
        resends->of[reason].parts = 0;
        resends->of[reason].bytes = 0;
        return true;
    }
    return false;
}
