#include "watcher/disk.h"

#include <string.h>

#define WINDOW_MS     (10u * 60 * 1000)
#define APART_MS      15000u
#define LEAST_SPAN_MS 60000u
#define MOST_SECONDS  315360000.0 /* ten years: as good as never */

static void drop_oldest(struct disk_trend *trend)
{
    memmove(trend->samples, trend->samples + 1, --trend->count * sizeof *trend->samples);
}

void disk_trend_add(struct disk_trend *trend, uint64_t at_ms, uint64_t free_bytes)
{
    while (trend->count && at_ms - trend->samples[0].at_ms > WINDOW_MS)
        drop_oldest(trend);
    /* The last but one is looked at: else samples that come often would replace one another
     * forever. */
    if (trend->count > 1 && at_ms - trend->samples[trend->count - 2].at_ms < APART_MS)
        trend->count--;
    if (trend->count == DISK_MAX_SAMPLES)
        drop_oldest(trend);
    trend->samples[trend->count++] = (struct disk_sample){.at_ms = at_ms, .free_bytes = free_bytes};
}

/* Bytes a second by which the free space changes. */
static double slope_of(const struct disk_trend *trend)
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

bool disk_trend_full_in(const struct disk_trend *trend, uint64_t *ret_seconds)
{
    const struct disk_sample *last;
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
