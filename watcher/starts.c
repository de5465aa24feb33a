#include "watcher/starts.h"

#include <stddef.h>

/* FNV-1a. Two works of one digest share their starts, which delays them and does no other harm. */
static uint64_t digest(unsigned kind, const char *subject)
{
    uint64_t value = UINT64_C(14695981039346656037) ^ kind;

    do
        value = value * UINT64_C(1099511628211) ^ (unsigned char)*subject;
    while (*subject++);
    return value;
}

static uint64_t left_ms(uint64_t at_ms, uint64_t now_ms)
{
    return at_ms && at_ms + STARTS_WINDOW_MS > now_ms ? at_ms + STARTS_WINDOW_MS - now_ms : 0;
}

uint64_t starts_wait_ms(const struct starts *starts, unsigned kind, const char *subject,
                        uint64_t now_ms)
{
    uint64_t work = digest(kind, subject);
    unsigned count = 0;

    /* From the latest start back. */
    for (unsigned i = 1; i <= STARTS_KEPT; i++) {
        unsigned at = (starts->next + STARTS_KEPT - i) % STARTS_KEPT;
        uint64_t wait_ms = left_ms(starts->list[at].at_ms, now_ms);

        if (!wait_ms)
            return 0;
        count += starts->list[at].work == work;
        if (count == STARTS_MOST || i == STARTS_KEPT)
            return wait_ms;
    }
    return 0;
}

void starts_note(struct starts *starts, unsigned kind, const char *subject, uint64_t now_ms)
{
    starts->list[starts->next].work = digest(kind, subject);
    starts->list[starts->next].at_ms = now_ms;
    starts->next = (starts->next + 1) % STARTS_KEPT;
}
