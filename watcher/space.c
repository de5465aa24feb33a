#include "watcher/space.h"

#include "config/units.h"
#include "finalize/program/log.h"

#include <stddef.h>
#include <sys/statvfs.h>

#define SAY_AGAIN_MS UINT64_C(3600000)

static void warn(const char *recordings_dir, uint64_t free_bytes, uint64_t full_in_s)
{
    const struct log_field fields[] = {{"directory", recordings_dir}, {0}};
    char free_text[32], time_text[32];

    units_format_size(free_bytes, free_text, sizeof free_text);
    units_format_duration(full_in_s * 1000, time_text, sizeof time_text);
    log_line(SETTINGS_LOG_WARNING, fields,
             "the recordings disk will be full in %s at the current rate, %s are free; what to do: "
             "make room, or see what keeps recordings from the bucket (jibri-finalize status)",
             time_text, free_text);
}

enum space_change space_take(struct space *space, uint64_t free_bytes, uint64_t warning_ms,
                             uint64_t now_ms, uint64_t *ret_full_in_s)
{
    bool was_warned = space->warned;

    disk_trend_add(&space->trend, now_ms, free_bytes);
    space->warned = warning_ms && disk_trend_full_in(&space->trend, ret_full_in_s) &&
                    *ret_full_in_s <= warning_ms / 1000;
    if (!space->warned)
        return was_warned ? SPACE_IS_FINE : SPACE_SAME;
    if (was_warned && now_ms - space->warned_at_ms < SAY_AGAIN_MS)
        return SPACE_SAME;
    space->warned_at_ms = now_ms;
    return SPACE_FILLS;
}

void space_look(struct space *space, const char *recordings_dir, uint64_t warning_ms,
                uint64_t now_ms)
{
    const struct log_field fields[] = {{"directory", recordings_dir}, {0}};
    struct statvfs status;
    uint64_t free_bytes, full_in_s;

    if (statvfs(recordings_dir, &status))
        return;
    free_bytes = (uint64_t)status.f_bavail * status.f_frsize;
    switch (space_take(space, free_bytes, warning_ms, now_ms, &full_in_s)) {
    case SPACE_SAME:
        break;
    case SPACE_FILLS:
        warn(recordings_dir, free_bytes, full_in_s);
        break;
    case SPACE_IS_FINE:
        log_line(SETTINGS_LOG_INFO, fields, "the recordings disk does not fill up any more");
        break;
    }
}
