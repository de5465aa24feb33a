/*
 * journal - what was done and what is still to be done, on disk, across kills and reboots.
 *
 * One SQLite file (WAL) for all recordings of a recordings directory; SQLite's header is included
 * by journal*.c alone. A step is written here before the world is told that it happened. Rows of
 * one recording are written by the holder of its lock (session_dir.h) alone; several processes
 * share the file. Decides nothing.
 *
 * Errors: ERROR_TRANSIENT for a full disk or a journal that is busy for long, ERROR_PERMANENT for
 * one that can't be used (not ours, damaged, no permission, made by a newer version).
 */
#pragma once

#include "finalize/base/error.h"
#include "finalize/journal/journal_number.h"
#include "finalize/s3/part.h"
#include "finalize/s3/s3_limits.h"
#include "finalize/session/session_dir.h"

#include <stdbool.h>
#include <stdint.h>

struct journal;

/* Stored, as all enums of this file. */
enum journal_recording_state {
    JOURNAL_RECORDING_WORKING = JOURNAL_NUMBER_WORKING, /* a process works on it, or did when the
                                                           machine stopped */
    JOURNAL_RECORDING_WAITING = JOURNAL_NUMBER_WAITING, /* something failed that may go away by
                                                           itself */
    JOURNAL_RECORDING_FAILED = JOURNAL_NUMBER_FAILED,   /* needs a person */
    JOURNAL_RECORDING_DONE = JOURNAL_NUMBER_DONE, /* nothing is left to do; whether it is safe, its
                                                     files tell (safety.h) */
    JOURNAL_RECORDING_RECORDING = JOURNAL_NUMBER_RECORDING, /* Jibri still writes; finished parts
                                                               are sent meanwhile */
    JOURNAL_RECORDING_ABANDONED = JOURNAL_NUMBER_ABANDONED  /* a person gave it up: the files stay,
                                                               nothing is tried */
};

struct journal_recording {
    int64_t id;
    char directory[SESSION_PATH_SIZE]; /* absolute */
    char session_id[SESSION_NAME_SIZE];
    enum journal_recording_state state;
    unsigned tries;       /* runs begun on it */
    unsigned failures;    /* of them, since the last one that got somewhere */
    unsigned interrupted; /* runs begun since the last one that ended with an outcome; the one that
                             works included */
    int64_t created_at;   /* seconds since 1970, as all times here */
    int64_t updated_at;
    int64_t next_try_at;       /* 0: not set */
    int64_t vanished_since;    /* when its directory was first found missing; 0: it was not */
    uint64_t recordings_inode; /* of the directory above, when it was last seen there; 0: not yet */
    char last_error[640];      /* "" when the last run had none */
    char reason[256];          /* why a person gave it up; "" unless ABANDONED */
    char meeting_url[2048];    /* from metadata.json; "" unknown */
    int share;                 /* from metadata.json: 0, 1, or -1 unknown */
    int32_t meeting_id;        /* given by a person for files whose names have none; 0: not given */
};

enum journal_file_state {
    JOURNAL_FILE_PENDING = JOURNAL_NUMBER_FILE_PENDING,   /* not yet confirmed in the bucket */
    JOURNAL_FILE_UPLOADED = JOURNAL_NUMBER_FILE_UPLOADED, /* the object was confirmed by HEAD; the
                                                             backend does not know yet */
    JOURNAL_FILE_SAFE = JOURNAL_NUMBER_FILE_SAFE, /* confirmed, and the backend knows or needn't */
    JOURNAL_FILE_GONE =
        JOURNAL_NUMBER_FILE_GONE, /* vanished from the disk before it was safe; not removed by us */
    JOURNAL_FILE_WITHHELD = JOURNAL_NUMBER_FILE_WITHHELD /* not to be uploaded (may hold a token
                                                            that can't be cut out); stays on disk */
};

/* Where the upload of a file stands. Written before the request that it names is sent. */
enum journal_phase {
    JOURNAL_PHASE_NONE = 0,       /* nothing that needs cleaning up was asked of the bucket */
    JOURNAL_PHASE_PUTTING = 1,    /* PutObject may have been sent: an object with our mark may
                                     exist */
    JOURNAL_PHASE_CREATING = 2,   /* CreateMultipartUpload may have been sent: an upload whose id we
                                     don't know may exist */
    JOURNAL_PHASE_OPEN = 3,       /* upload_id is known */
    JOURNAL_PHASE_COMPLETING = 4, /* CompleteMultipartUpload may have been sent */
    JOURNAL_PHASE_ABORTING = 5    /* upload_id is to be aborted, then the upload begins again */
};

enum journal_notice {
    JOURNAL_NOTICE_NONE = 0, /* not a media file */
    JOURNAL_NOTICE_DUE = 1,  /* never sent */
    JOURNAL_NOTICE_SENT = 2, /* sent, fate unknown: may be repeated with the same Idempotency-Key */
    JOURNAL_NOTICE_ACCEPTED = 3, /* never to be sent again */
    JOURNAL_NOTICE_REFUSED = 4,  /* needs a person; sent again only by a new run */
    JOURNAL_NOTICE_UNCLEAR = 5   /* answered as if accepted, but without its row: needs a person;
                                    sent again only when one calls */
};

struct journal_file {
    int64_t id;
    int64_t recording_id;
    char path[SESSION_PATH_SIZE]; /* within the session directory; any bytes */
    bool media;
    bool incomplete;               /* a recording that was cut off, and does not play */
    uint64_t duration_ms;          /* 0: not known */
    bool cut_off;                  /* its writer did not end it; it plays up to duration_ms */
    struct file_identity identity; /* of the file whose bytes are uploaded */
    uint64_t object_bytes; /* size of the object; another than the file's only for a redacted
                              metadata.json */
    enum journal_file_state state;
    char mark[S3_MARK_SIZE];      /* random, made with the row, renewed when the file's content is
                                     another */
    char told_mark[S3_MARK_SIZE]; /* of the last object whose notice was sent before the mark was
                                     renewed; "": none */
    enum journal_notice told_notice; /* what had become of that notice */
    char location[S3_LOCATION_SIZE]; /* where it is sent to, or was (s3_location.h); "": to nowhere
                                        yet, or by a version that did not note it */
    char key[S3_MAX_KEY_BYTES + 1];  /* "" until chosen */
    unsigned key_suffix; /* how often the key had to be changed since it was taken: 0 never */
    enum journal_phase phase;
    int64_t phase_at; /* since when */
    char upload_id[S3_UPLOAD_ID_SIZE];
    struct part_plan part_plan; /* fixed when the upload was created */
    unsigned taken_back;        /* how often the server denied what it had acknowledged */
    char etag[S3_ETAG_SIZE];    /* of the object */
    int64_t uploaded_at;
    enum journal_notice notice;
    int64_t backend_row; /* the id that the backend answered to the last notice that it accepted */
    int64_t safe_at;
    int64_t removed_at; /* when we removed the local copy; 0: not yet */
    char last_error[640];
};

/* Whether an object of the file may be in the bucket: confirmed, or asked for. */
bool journal_file_may_be_stored(const struct journal_file *file);

/* A part that the bucket acknowledged. */
struct journal_part {
    unsigned number;
    uint64_t length;
    bool has_fingerprint;    /* false: learned from ListParts, its bytes were never compared */
    uint8_t fingerprint[16]; /* XXH3-128 of the bytes that were sent */
    char etag[S3_ETAG_SIZE];
    int64_t acknowledged_at; /* 0: not known */
};

/*
 * What is written here lasts when the call has returned, also through a power failure, but for what
 * need not: acknowledged parts, history, that a recording or a file exists, removals. Those last
 * from the next other write on.
 *
 * Opens the journal at `path` (":memory:" for tests), making it and its directory (0700, the file
 * 0600) when they are not there. Waits up to 10 s for other writers in each call.
 */
bool journal_open(const char *path, struct journal **ret_journal, struct error *err)
    __attribute__((warn_unused_result));
/*
 * Directories of recordings are kept relative to the recordings directory, so that it can be moved
 * with its journal, and have another name in another container. It is the directory above one that
 * is named .jibri-finalize and holds the journal, else `recordings_dir`, which the journal notes
 * for processes that pass NULL. Where neither is known, and for directories elsewhere, the absolute
 * path is kept. When a process passes another directory than the one that was noted, recordings
 * that are no longer where they were, and that this directory has under the same name, belong to it
 * from then on. Names given and returned here are always absolute.
 */
bool journal_open_for(const char *path, const char *recordings_dir, struct journal **ret_journal,
                      struct error *err) __attribute__((warn_unused_result));
void journal_close(struct journal *journal);

#define JOURNAL_PATIENCE_MS 10000u
/* How long each call waits for other writers, from now on; JOURNAL_PATIENCE_MS at first. */
void journal_set_patience(struct journal *journal, unsigned patience_ms);

/* Reads all of it: ERROR_DAMAGED when it is not sound. */
bool journal_check(struct journal *journal, struct error *err) __attribute__((warn_unused_result));

/*
 * Groups the calls in between into one write, which is whole or not there. One that is begun within
 * another is a part of it, and can be rolled back by itself. Rolling back never fails.
 */
bool journal_begin(struct journal *journal, struct error *err) __attribute__((warn_unused_result));
bool journal_commit(struct journal *journal, struct error *err) __attribute__((warn_unused_result));
void journal_rollback(struct journal *journal);

/* Finds the row of `directory`. *ret_found tells whether there is one. */
bool journal_find_recording(struct journal *journal, const char *directory,
                            struct journal_recording *ret_recording, bool *ret_found,
                            struct error *err) __attribute__((warn_unused_result));
/* Finds or makes it: state WORKING, tries and interrupted one more than before. */
bool journal_begin_recording(struct journal *journal, const char *directory, const char *session_id,
                             int64_t now, struct journal_recording *ret_recording,
                             struct error *err) __attribute__((warn_unused_result));
/* Writes all that may change of a recording; updated_at becomes `now`. */
bool journal_save_recording(struct journal *journal, const struct journal_recording *recording,
                            int64_t now, struct error *err) __attribute__((warn_unused_result));

/*
 * Loads the first recording with an id above `after_id` of which a local copy is still there though
 * its file has been safe since `safe_before` or longer. *ret_found is false at the end.
 */
bool journal_next_kept_recording(struct journal *journal, int64_t after_id, int64_t safe_before,
                                 struct journal_recording *ret_recording, bool *ret_found,
                                 struct error *err) __attribute__((warn_unused_result));

/* Finds the row of `path`. */
bool journal_find_file(struct journal *journal, int64_t recording_id, const char *path,
                       struct journal_file *ret_file, bool *ret_found, struct error *err)
    __attribute__((warn_unused_result));
/* Adds a row (file->id is set). */
bool journal_add_file(struct journal *journal, struct journal_file *file, struct error *err)
    __attribute__((warn_unused_result));
/* Writes all that may change of a file, in one statement. */
bool journal_save_file(struct journal *journal, const struct journal_file *file, struct error *err)
    __attribute__((warn_unused_result));
/* Writes file->removed_at alone, and nothing when the file is sent again since it was loaded. */
bool journal_note_removed(struct journal *journal, const struct journal_file *file,
                          struct error *err) __attribute__((warn_unused_result));
/*
 * As journal_save_file(), for a file whose key was just chosen. *ret_taken, and nothing written,
 * when another file of this journal has that key, whatever its state.
 */
bool journal_save_key(struct journal *journal, const struct journal_file *file, bool *ret_taken,
                      struct error *err) __attribute__((warn_unused_result));
/*
 * Loads the first file of the recording with an id above `after_id` that is (media) or isn't
 * (!media) a media file, in the order of ids. *ret_found is false at the end.
 */
bool journal_next_file(struct journal *journal, int64_t recording_id, bool media, int64_t after_id,
                       struct journal_file *ret_file, bool *ret_found, struct error *err)
    __attribute__((warn_unused_result));

/*
 * Visits every file of the recording, media first. The visitor may save the file. It ends the walk,
 * and fails it, by returning false.
 */
bool journal_each_file(struct journal *journal, int64_t recording_id,
                       bool (*visit)(void *context, struct journal_file *file, struct error *err),
                       void *context, struct error *err) __attribute__((warn_unused_result));

bool journal_find_part(struct journal *journal, int64_t file_id, unsigned number,
                       struct journal_part *ret_part, bool *ret_found, struct error *err)
    __attribute__((warn_unused_result));
/* Loads the part with the lowest number above `after_number`. */
bool journal_next_part(struct journal *journal, int64_t file_id, unsigned after_number,
                       struct journal_part *ret_part, bool *ret_found, struct error *err)
    __attribute__((warn_unused_result));
/* Adds or replaces. */
bool journal_save_part(struct journal *journal, int64_t file_id, const struct journal_part *part,
                       struct error *err) __attribute__((warn_unused_result));
bool journal_forget_part(struct journal *journal, int64_t file_id, unsigned number,
                         struct error *err) __attribute__((warn_unused_result));
bool journal_forget_parts(struct journal *journal, int64_t file_id, struct error *err)
    __attribute__((warn_unused_result));

/* How many of the parts `first`..`last` of a file the bucket has acknowledged. */
bool journal_count_parts(struct journal *journal, int64_t file_id, unsigned first, unsigned last,
                         unsigned *ret_count, struct error *err)
    __attribute__((warn_unused_result));

#define JOURNAL_SENT_AGAIN "sent again: " /* begins entries that say why bytes were sent again */
/* One line of a recording's history. `file_id` 0: of the recording as a whole. */
bool journal_add_history(struct journal *journal, int64_t recording_id, int64_t file_id,
                         int64_t now, const char *text, struct error *err)
    __attribute__((warn_unused_result));
