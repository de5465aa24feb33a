/*
 * failing_alloc - makes one allocation fail: the n-th from a point on, for tests that let each fail
 * once.
 *
 * Ours are counted by the linker (--wrap, see CMakeLists.txt), the libraries' by the hooks
 * that they have for it. Blocks of ours that are not freed are counted as well, so that leaks show
 * without a sanitizer too.
 */
#pragma once

#include <stdbool.h>

/* Has the libraries allocate through us: to be called once, before any of them is used. */
void failing_alloc_hook(void);

/* From here on the allocation number `nth`, from 1, fails; 0: none does. */
void failing_alloc_begin(unsigned long nth);

struct failing_alloc_result {
    unsigned long allocations; /* since the beginning, the one that failed among them */
    bool failed;               /* one was made to fail */
    long kept;                 /* blocks of ours made since then and not freed */
};

/* Ends it: from here on none fails. */
struct failing_alloc_result failing_alloc_end(void);
