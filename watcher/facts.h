/*
 * facts - what is known of a session directory, from the journal and the disk: what policy.h
 * decides on.
 */
#pragma once

#include "config/settings.h"
#include "finalize/base/error.h"
#include "finalize/journal/journal.h"
#include "finalize/session/open_writer.h"

#include <stdbool.h>
#include <stdint.h>

struct facts {
    bool known; /* to the journal; the following two mean something then */
    enum journal_recording_state state;
    int64_t next_try_at;
    bool handed_over; /* Jibri's finalizer left it to the watcher */

    bool exists;    /* the directory does; down to `ahead` they mean something then */
    bool has_files; /* or something that can't be read; else there is nothing to finalize */
    bool locked;    /* a process works on it */
    bool has_parts; /* finished parts that the bucket does not hold */
    enum open_writer writer; /* of any file in it */
    int64_t changed_at;      /* when something last changed in it, by now */
    int64_t ahead; /* the latest change whose time has not come yet: a clock was set back, or
                      differs; 0: none. The caller judges it. */
};

/*
 * `directory`: absolute, links resolved. What is done, but has got files since that are not safe,
 * counts as being recorded. Changes nothing. `handed_over` is the caller's to fill in before. Fails
 * when the journal does.
 */
bool facts_gather(const struct settings *settings, struct journal *journal, const char *directory,
                  int64_t now, struct facts *facts, struct error *err)
    __attribute__((warn_unused_result));
