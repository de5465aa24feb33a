#include "watcher/space.h"

#include "config/units.h"
#include "finalize/program/log.h"

#include <string.h>
#include <sys/statvfs.h>

#define WINDOW_MS     (10u * 60 * 1000)
#define APART_MS      15000u
#define LEAST_SPAN_MS 60000u
#define MOST_SECONDS  315360000.0 /* ten years: as good as never */
#define SAY_AGAIN_MS  UINT64_C(3600000)

/* ---- the trend ------------------------------------------------------------------------------ */

static void drop_oldest(struct space_trend *trend)
{
    memmove(trend->samples, trend->samples + 1, --trend->count * sizeof *trend->samples);
}

void space_add_sample(struct space_trend *trend, uint64_t at_ms, uint64_t free_bytes)
{
    while (trend->count && at_ms - trend->samples[0].at_ms > WINDOW_MS)
        drop_oldest(trend);
    /* The last but one is looked at: else samples that come often would replace one another
     * forever. */
    if (trend->count > 1 && at_ms - trend->samples[trend->count - 2].at_ms < APART_MS)
        trend->count--;
    if (trend->count == SPACE_MAX_SAMPLES)
        drop_oldest(trend);
    trend->samples[trend->count++] =
        (struct space_sample){.at_ms = at_ms, .free_bytes = free_bytes};
}

/* Bytes a second by which the free space changes. */
static double slope_of(const struct space_trend *trend)
{
    uint64_t begin_ms = trend->samples[0].at_ms;
    double mean_s = 0, mean_bytes = 0, products = 0, squares = 0;

    for (unsigned i = 0; i < trend->count; i++) {
        mean_s += (double)(trend->samples[i].at_ms - begin_ms) / 1000 / trend->count;
        mean_bytes += (double)trend->samples[i].free_bytes / trend->count;
    }
    for (unsigned i = 0; i < trend->count; i++) {
        double s = (double)(trend->samples[i].at_ms - begin_ms) / 1000 - mean_s;

        products += s * ((double)trend->samples[i].free_bytes - mean_bytes);
        squares += s * s;
    }
    return squares > 0 ? products / squares : 0;
}

bool space_full_in(const struct space_trend *trend, uint64_t *ret_seconds)
{
    const struct space_sample *last;
    double slope, seconds;

    if (trend->count < 2)
        return false;
    last = &trend->samples[trend->count - 1];
    if (last->at_ms - trend->samples[0].at_ms < LEAST_SPAN_MS)
        return false;
    slope = slope_of(trend);
    if (slope >= 0)
        return false;
    seconds = (double)last->free_bytes / -slope;
    if (seconds > MOST_SECONDS)
        return false;
    *ret_seconds = (uint64_t)seconds;
    return true;
}

/* ---- what is said --------------------------------------------------------------------------- */

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

    space_add_sample(&space->trend, now_ms, free_bytes);
    space->warned = warning_ms && space_full_in(&space->trend, ret_full_in_s) &&
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
