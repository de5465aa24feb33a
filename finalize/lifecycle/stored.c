#include "finalize/lifecycle/stored.h"

#include "finalize/base/clock.h"
#include "finalize/s3/s3_location.h"

#include <string.h>

#define PATIENCE_MS 10000u

bool stored_ask(const struct settings *settings, struct loop *loop, struct s3 *s3,
                const struct journal_file *file, uint64_t deadline_ms, bool *ret_stored,
                struct error *err)
{
    struct s3_call call = {
        .operation = S3_HEAD_OBJECT, .location = file->location, .key = file->key, .fd = -1};
    uint64_t patience_ends_ms = clock_now_ms() + PATIENCE_MS;
    uint64_t until_ms = deadline_ms < patience_ends_ms ? deadline_ms : patience_ends_ms;
    struct s3_result result;
    bool known;

    if (!s3_location_is_reached(file->location, settings))
        return error_set(err, ERROR_PERMANENT,
                         "%s was sent to %s, which the settings do not name: it cannot be checked "
                         "there, and its local copy stays",
                         file->path, file->location);
    if (!network_ask(loop, s3, &call, until_ms, &result, err))
        return false;
    if (result.outcome == S3_ASK_REASON) { /* where objects may not be listed, and it is gone */
        s3_result_done(&result);
        call.operation = S3_GET_RANGE;
        if (!network_ask(loop, s3, &call, until_ms, &result, err))
            return false;
    }
    known = result.outcome == S3_NO_SUCH_KEY ||
            (result.outcome == S3_DONE && call.operation == S3_HEAD_OBJECT);
    if (known)
        *ret_stored = result.outcome == S3_DONE && !strcmp(result.mark, file->mark) &&
                      result.size_bytes == file->object_bytes;
    else if (result.outcome == S3_DONE)
        error_set(err, ERROR_PERMANENT, "HeadObject of %s is refused, but GetObject is not",
                  file->key);
    else
        *err = result.error;
    s3_result_done(&result);
    return known;
}
