/*
 * journal_view - what the journal says, read in one statement from the first row to the last.
 *
 * For those that show it (report.h); the programs that work use journal.h. Has a connection of its
 * own, writes nothing, keeps no row in memory. What is borrowed by a visitor is so during its call.
 * Errors are those of journal.h.
 */
#pragma once

#include "finalize/base/error.h"
#include "finalize/journal/journal.h"
#include "finalize/journal/safety.h"

#include <stdbool.h>
#include <stdint.h>

struct journal_view;

/* Opens the journal that is there; one of an older version is brought up to date. */
bool journal_view_open(const char *path, const char *recordings_dir, struct journal_view **ret_view,
                       struct error *err) __attribute__((warn_unused_result));
void journal_view_close(struct journal_view *view);

struct journal_view_file {
    struct journal_file file;
    uint64_t held_bytes;   /* of the parts that the bucket acknowledged */
    uint64_t recent_bytes; /* of those, acknowledged after `recent_after` */
};

struct journal_view_row {
    struct journal_recording recording;
    struct safety safety; /* of all its files */
    bool has_file;        /* false: the recording has no file at all, and this is its only row */
    struct journal_view_file file;
};

/*
 * Visits each file of each recording (`recording_id` 0: of all), the newest recording first, media
 * before other files. The visitor ends the walk, and fails it, by returning false.
 */
bool journal_view_each(struct journal_view *view, int64_t recording_id, int64_t recent_after,
                       bool (*visit)(void *context, const struct journal_view_row *row,
                                     struct error *err),
                       void *context, struct error *err) __attribute__((warn_unused_result));

struct journal_view_entry {
    int64_t recording_id;
    char session_id[SESSION_NAME_SIZE];
    int64_t at;
    char path[SESSION_PATH_SIZE]; /* "": of the recording as a whole */
    char text[4096];              /* cut when it is longer */
};

/* Visits the last `most` entries of the recording's history (0: of all) whose text begins with
 * `beginning`, the oldest of them first. */
bool journal_view_each_entry(struct journal_view *view, int64_t recording_id, const char *beginning,
                             unsigned most,
                             bool (*visit)(void *context, const struct journal_view_entry *event,
                                           struct error *err),
                             void *context, struct error *err) __attribute__((warn_unused_result));

struct journal_view_leftovers {
    unsigned count;  /* uploads in the bucket that are still to be aborted */
    int64_t since;   /* of those that could not be, when the oldest was left; 0: there is none */
    char error[640]; /* why that one could not be */
};
bool journal_view_leftovers(struct journal_view *view, struct journal_view_leftovers *ret_leftovers,
                            struct error *err) __attribute__((warn_unused_result));

/* Whether the journal has a row of this directory. */
bool journal_view_knows(struct journal_view *view, const char *directory, bool *ret_known,
                        struct error *err) __attribute__((warn_unused_result));
