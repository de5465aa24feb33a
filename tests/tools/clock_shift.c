/*
 * clock_shift - lets a program's clock be wrong: preloaded (LD_PRELOAD), it adds CLOCK_SHIFT to the
 * time of day. The clocks that cannot be set (CLOCK_MONOTONIC and its like) stay right.
 *
 *   CLOCK_SHIFT=+20m    an offset: a sign, a number, and s, m, h or d
 *
 * libfaketime does more, but keeps a semaphore named by its process id: one that a killed process
 * leaves fails a later process with the same id.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define PUBLIC __attribute__((visibility("default")))

static time_t shift_s;

__attribute__((constructor)) static void read_shift(void)
{
    static const char units[] = "smhd";
    static const time_t unit_s[] = {1, 60, 3600, 86400};
    const char *text = getenv("CLOCK_SHIFT");
    char *end = NULL;
    long count = text ? strtol(text, &end, 10) : 0;
    const char *unit = text && end != text && *end && !end[1] ? strchr(units, *end) : NULL;

    if (!unit) {
        fputs("clock_shift: CLOCK_SHIFT is not like +20m\n", stderr);
        abort();
    }
    shift_s = count * unit_s[unit - units];
}

/* The system is called without libc in between, which would come back to here. */
PUBLIC int clock_gettime(clockid_t clock_id, struct timespec *tp)
{
    int result = (int)syscall(SYS_clock_gettime, clock_id, tp);

    if (result == 0 && (clock_id == CLOCK_REALTIME || clock_id == CLOCK_REALTIME_COARSE))
        tp->tv_sec += shift_s;
    return result;
}

PUBLIC int gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
    struct timespec now = {0};

    (void)tz; /* the zone: obsolete, and asked for by nothing */
    clock_gettime(CLOCK_REALTIME, &now);
    tv->tv_sec = now.tv_sec;
    tv->tv_usec = now.tv_nsec / 1000;
    return 0;
}

PUBLIC time_t time(time_t *timer)
{
    struct timespec now = {0};

    clock_gettime(CLOCK_REALTIME, &now);
    if (timer)
        *timer = now.tv_sec;
    return now.tv_sec;
}
