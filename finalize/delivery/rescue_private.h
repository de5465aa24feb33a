/*
 * rescue_private - what the files of rescue.h share: rescue_list.c finds uploads and lists their
 * parts, rescue.c completes and notifies, rescue_record.c keeps what was done, rescue_index.c makes
 * an ordinary mp4 of what is read of the object (rescue_ahead.c), rescue_replace.c puts that in its
 * place.
 */
#pragma once

#include "finalize/delivery/rescue.h"
#include "finalize/s3/part.h"

#define RESCUE_BODY_CEILING (2u << 20) /* 10,000 parts take 1.4 MiB */

/*
 * Asks, and again after a pause when that may help. False, and `err` says why, when the server
 * can't be asked now; a refusal is an answer.
 */
bool rescue_ask(const struct rescue *rescue, const struct s3_call *call,
                struct s3_result *ret_result, struct error *err)
    __attribute__((warn_unused_result));

/* The same for a PutObject or UploadPart of the bytes at `call`'s offset of its file: their digests
 * are made here. ERROR_TRANSIENT also when they can't be read. */
bool rescue_send(const struct rescue *rescue, const struct s3_call *call,
                 struct s3_result *ret_result, struct error *err)
    __attribute__((warn_unused_result));

/* The same once, for what may be done though no reply says so: whatever the answer is. */
bool rescue_ask_once(const struct rescue *rescue, const struct s3_call *call,
                     struct s3_result *ret_result, struct error *err)
    __attribute__((warn_unused_result));

/* Looks at the object: S3_DONE, or S3_NO_SUCH_KEY; anything else is an error. */
bool rescue_head(const struct rescue *rescue, const char *key, struct s3_result *ret_head,
                 struct error *err) __attribute__((warn_unused_result));

/*
 * Lists the parts and fills in the numbers of `upload`. With `body`, appends to it what
 * CompleteMultipartUpload is to be told of those in a row, or of all. *ret_fits is false when the
 * sizes are of no part plan of ours.
 */
bool rescue_list_parts(const struct rescue *rescue, struct rescue_upload *upload, bool all,
                       struct buffer *body, bool *ret_fits, struct error *err)
    __attribute__((warn_unused_result));

/* The object <key>.rescued: the journal of a rescue. */
struct rescue_record {
    bool there;
    char told[S3_MARK_SIZE]; /* the backend was told of the recording that has it; "": of none */
    uint64_t bytes;          /* of the parts in a row; 0: not known */
    char upload_id[S3_UPLOAD_ID_SIZE]; /* of the index; may be open; "": none */
};

struct rescue_object {
    const struct rescue *rescue;
    const char *key;
    struct s3_result head; /* what HEAD says of it */
    struct rescue_record record;
};

bool rescue_read_record(const struct rescue *rescue, const char *key,
                        struct rescue_record *ret_record, struct error *err)
    __attribute__((warn_unused_result));
bool rescue_write_record(const struct rescue *rescue, const char *key,
                         const struct rescue_record *record, struct error *err)
    __attribute__((warn_unused_result));

/* Notes in the record that this upload was begun, so that a later call ends it. */
bool rescue_note_upload(struct rescue_object *object, const char *upload_id, struct error *err)
    __attribute__((warn_unused_result));

/* Best effort. */
void rescue_abort(const struct rescue *rescue, const char *key, const char *upload_id);

/*
 * Makes an ordinary mp4 of the object, where it is a recording in fragments and where it can. Fills
 * in plays, indexed, duration_ms and bytes. What can't be done is reported and no failure: the
 * object stays as it is.
 */
bool rescue_index(struct rescue_object *object, struct rescue_result *result, struct error *err)
    __attribute__((warn_unused_result));

/* What is to take the object's place. */
struct rescue_file {
    int fd; /* borrowed; its first part, and all from `changed_from` on, are wholly there */
    uint64_t size_bytes;
    uint64_t changed_from;
    struct part_plan plan;
};

/* Puts the file in the object's place, with its metadata. The object stays as it is when that
 * fails. */
bool rescue_replace(struct rescue_object *object, const struct rescue_file *file, struct error *err)
    __attribute__((warn_unused_result));

/* Reads the headers of the object's fragments between `from`, where the first one is, and `end`
 * into `fd`, each whole at its place; best effort (rescue_ahead.c). */
void rescue_read_ahead(const struct rescue_object *object, int fd, uint64_t from, uint64_t end);
