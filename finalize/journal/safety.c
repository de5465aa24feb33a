#include "finalize/journal/safety.h"

const char *const safety_file_states[] = {[JOURNAL_FILE_PENDING] = "pending",
                                          [JOURNAL_FILE_UPLOADED] = "uploaded",
                                          [JOURNAL_FILE_SAFE] = "safe",
                                          [JOURNAL_FILE_GONE] = "gone",
                                          [JOURNAL_FILE_WITHHELD] = "withheld"};

bool safety_file_is_safe(const struct journal_file *file)
{
    return file->state == JOURNAL_FILE_SAFE;
}

bool safety_may_go(const struct journal_file *file)
{
    return safety_file_is_safe(file) && !file->removed_at;
}

void safety_add(struct safety *safety, const struct journal_file *file)
{
    safety->files++;
    safety->media += file->media;
    safety->incomplete += file->media && file->incomplete;
    switch (file->state) {
    case JOURNAL_FILE_SAFE:
        safety->safe++;
        safety->kept += safety_may_go(file);
        safety->safe_bytes += file->object_bytes;
        safety->media_safe += file->media;
        safety->safe_ms += file->media ? file->duration_ms : 0;
        safety->timeless += file->media && !file->duration_ms;
        break;
    case JOURNAL_FILE_WITHHELD:
        safety->withheld++;
        break;
    case JOURNAL_FILE_PENDING:
        safety->pending += !journal_file_may_be_stored(file);
        /* fall through */
    case JOURNAL_FILE_UPLOADED:
        if (file->notice == JOURNAL_NOTICE_REFUSED || file->notice == JOURNAL_NOTICE_UNCLEAR)
            safety->refused++;
        else
            safety->waiting++;
        break;
    case JOURNAL_FILE_GONE:
        safety->gone++;
        break;
    }
}

static bool visit(void *context, struct journal_file *file, struct error *err)
{
    (void)err;
    safety_add(context, file);
    return true;
}

bool safety_load(struct journal *journal, int64_t recording_id, struct safety *ret_safety,
                 struct error *err)
{
    struct safety safety = {0};

    if (!journal_each_file(journal, recording_id, visit, &safety, err))
        return false;
    *ret_safety = safety;
    return true;
}

bool safety_is_safe(const struct safety *safety)
{
    return !safety->waiting && !safety->refused && !safety->gone;
}
