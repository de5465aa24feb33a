/*
 * starts - holds a piece of work off that is started again and again: the same work at most three
 * times in ten seconds, whatever its process does and whatever the journal says.
 *
 * Pure: milliseconds of a clock that only goes forward are passed in.
 */
#pragma once

#include <stdint.h>

#define STARTS_MOST      3u
#define STARTS_WINDOW_MS 10000u
#define STARTS_KEPT      1024u /* of all works: no more are started within a window either */

/* Zero-initialised. */
struct starts {
    struct {
        uint64_t work; /* a digest of `kind` and `subject` */
        uint64_t at_ms;
    } list[STARTS_KEPT]; /* a ring */
    unsigned next;
};

/* How long the work (of that kind, on that subject) is held off; 0: it may be started now. */
uint64_t starts_wait_ms(const struct starts *starts, unsigned kind, const char *subject,
                        uint64_t now_ms);

/* It is started now. */
void starts_note(struct starts *starts, unsigned kind, const char *subject, uint64_t now_ms);
