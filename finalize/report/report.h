/*
 * report - how the recordings are: what the journal says, what lies on the disk and who works on
 * it, summed up as values.
 *
 * For status, events, wait and the watcher's status server. Reads only. Knows
 * nothing of how it is shown. The journal is read in one statement; one recording at a time is in
 * memory.
 */
#pragma once

#include "finalize/base/error.h"
#include "finalize/journal/journal.h"
#include "finalize/journal/journal_view.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum report_state {
    REPORT_SAFE,        /* all of it is in the bucket, and the backend knows */
    REPORT_UPLOADING,   /* a process works on it */
    REPORT_RECORDING,   /* Jibri writes it (a watcher sends its finished parts meanwhile), or is
                           joining the meeting */
    REPORT_INTERRUPTED, /* a process worked on it and is gone: it is to be tried again */
    REPORT_WAITING,     /* something failed that may go away by itself */
    REPORT_FAILED,      /* a person is needed */
    REPORT_LOST,        /* a file vanished, or the directory did, before it was safe */
    REPORT_ABANDONED,   /* a person gave it up; its files stay */
    REPORT_FOUND,       /* on the disk but not in the journal: Jibri still records it, or a crash
                           left it there */
    REPORT_STATES
};

/* "safe", "uploading", …, "found": as in JSON and --state. A literal. */
const char *report_state_name(enum report_state state);
#define REPORT_JOINING_S 120 /* how long Jibri may take from a directory to its first file */

/* Bits by state. */
#define REPORT_BIT(state)   (1u << (unsigned)(state))
#define REPORT_ALL_STATES   (REPORT_BIT(REPORT_STATES) - 1u)
#define REPORT_NEEDS_PERSON (REPORT_BIT(REPORT_FAILED) | REPORT_BIT(REPORT_LOST))
#define REPORT_IS_PENDING                                          \
    (REPORT_BIT(REPORT_UPLOADING) | REPORT_BIT(REPORT_RECORDING) | \
     REPORT_BIT(REPORT_INTERRUPTED) | REPORT_BIT(REPORT_WAITING) | REPORT_BIT(REPORT_FOUND))

/* Reads names with commas between them, "failed,waiting", into REPORT_BIT()s. False when one is no
 * state's. */
bool report_states_read(const char *text, unsigned *ret_states);

struct report_recording {
    enum report_state state;
    /* The journal's row. Not in the journal: id 0, with directory, session_id, created_at (of the
     * newest file) and updated_at (the same) alone. */
    struct journal_recording row;
    char media_name[SESSION_NAME_SIZE]; /* of the first media file; "": none */
    char
        meeting[SESSION_NAME_SIZE]; /* what its name begins with, or what retry --meeting-id gave */
    struct safety safety; /* its files, counted; of one that is not in the journal: `files`, and
                             1 for `media` when there is any */
    unsigned
        notices_due;     /* uploaded, but the backend does not know (refused ones are among them) */
    uint64_t size_bytes; /* of all objects in the end */
    uint64_t held_bytes; /* of those, in the bucket */
    double rate;         /* bytes a second, over the last minute; 0: unknown, or nothing is sent */
    int64_t seconds_left; /* -1: unknown */
    int64_t safe_at;      /* when the last file became safe; 0 unless REPORT_SAFE */
    pid_t worker_pid; /* the process that holds its lock; 0: none, or it cannot be seen from here */
    char worker[32];  /* that program's name; "" unknown */
};

struct report_totals {
    unsigned recordings[REPORT_STATES];
    uint64_t size_bytes[REPORT_STATES];
    uint64_t held_bytes[REPORT_STATES];
    unsigned notices_due;     /* files */
    int64_t oldest_unsafe_at; /* created_at of the oldest recording that is not safe (abandoned ones
                                 aside); 0: none */
    int64_t oldest_waiting_at;
    int64_t next_try_at;   /* the soonest; 0: none */
    char waiting_for[640]; /* last_error of the recording that waits longest */
    struct journal_view_leftovers leftovers;
    unsigned shown_states; /* REPORT_BIT()s of those that passed the filter */
    unsigned shown;        /* their number */
    bool locks_known; /* false: no lock can be seen, the journal alone says whether a process works
                         on a recording */
};

struct report_source {
    const char *journal;        /* its path; one that isn't there is empty */
    const char *recordings_dir; /* where session directories lie that the journal does not know;
                                   NULL: not looked at */
    const char *root;           /* journal_open_for()'s recordings_dir */
    const char *media;          /* settings.media; borrowed until the report is closed */
};

struct report;

bool report_open(const struct report_source *source, struct report **ret_report, struct error *err)
    __attribute__((warn_unused_result));
void report_close(struct report *report);

/* Whether a watcher works for these recordings: 1, 0, or -1 when it can't be told. */
int report_watcher(const struct report *report);

struct report_filter {
    int64_t recording_id;           /* 0: all, those that are not in the journal too */
    unsigned states;                /* REPORT_BIT()s; 0: all */
    int64_t since;                  /* created_at at least; 0: all */
    unsigned most_safe;             /* of safe ones, the latest; 0: all */
    const char *const *directories; /* NULL-terminated: these alone; NULL: all */
    bool joining;                   /* directories without a file too, as REPORT_JOINING_S says */
    unsigned skip;                  /* of those that pass, the first ones */
    unsigned most;                  /* of the others, the first ones; 0: all */
};

/*
 * Called for each recording that passes the filter, the newest first. `begins` comes first, with
 * row, state and worker filled in; then `file` for each file, media first; then `recording`, with
 * everything filled in. Each may be NULL. Returning false ends the walk, which then fails.
 */
struct report_visitor {
    void *context;
    bool (*begins)(void *context, const struct report_recording *recording, struct error *err);
    bool (*file)(void *context, const struct journal_view_file *file, struct error *err);
    bool (*recording)(void *context, const struct report_recording *recording, struct error *err);
};

/* `ret_totals` (may be NULL) counts all recordings: the filter's states, time and number do not
 * apply to it. */
bool report_each(struct report *report, const struct report_filter *filter, int64_t now,
                 const struct report_visitor *visitor, struct report_totals *ret_totals,
                 struct error *err) __attribute__((warn_unused_result));

/* As journal_view_each_entry(). */
bool report_each_entry(struct report *report, int64_t recording_id, const char *beginning,
                       unsigned most,
                       bool (*visit)(void *context, const struct journal_view_entry *event,
                                     struct error *err),
                       void *context, struct error *err) __attribute__((warn_unused_result));

/* Counts one more recording. Leaves `shown` and `shown_states` as they are. */
void report_totals_add(struct report_totals *totals, const struct report_recording *recording);

/* REPORT_BIT()s of the states that have at least one recording. */
unsigned report_states_of(const struct report_totals *totals);
