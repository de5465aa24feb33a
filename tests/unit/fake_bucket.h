/*
 * fake_bucket - a bucket in memory, for tests of what drives an upload: calls in, results out.
 *
 * Keeps objects with their marks and multipart uploads with their parts, as strictly as the
 * strictest of the real servers: Complete must list every part that was uploaded, and an upload
 * that was completed is not known any more. Faults are scripted by operation and count.
 */
#pragma once

#include "finalize/hash/digest.h"
#include "finalize/journal/journal_schedule.h"
#include "finalize/s3/s3.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FAKE_PART_BYTES   1000u
#define FAKE_PARTS        12u
#define FAKE_OBJECT_BYTES (FAKE_PART_BYTES * FAKE_PARTS)
#define FAKE_OBJECTS      8u
#define FAKE_UPLOADS      24u
#define FAKE_FAULTS       16u
#define FAKE_OPERATIONS   (S3_DELETE_OBJECT + 1u)
#define FAKE_ALWAYS       100000u

struct fake_object {
    bool there;
    char key[128];
    char mark[S3_MARK_SIZE];
    char etag[64];
    bool same_session; /* as the asking one's */
    size_t size;
    uint8_t bytes[FAKE_OBJECT_BYTES];
};

struct fake_part {
    bool there;
    char etag[64];
    size_t size;
    uint8_t bytes[FAKE_OBJECT_BYTES];
};

struct fake_upload {
    bool open;
    char id[32];
    char key[128];
    char mark[S3_MARK_SIZE];
    struct fake_part parts[FAKE_PARTS]; /* by number - 1 */
};

enum fake_fault_kind {
    FAKE_ANSWER,       /* not done; `outcome` and `code` are the answer */
    FAKE_LOSE_REQUEST, /* not done, which does not show */
    FAKE_LOSE_REPLY,   /* done, which does not show */
    FAKE_NO_CONNECTION /* not done, and that is known */
};

struct fake_fault {
    enum s3_operation operation;
    unsigned first, last; /* calls of that operation, counted from 1 */
    enum fake_fault_kind kind;
    enum s3_outcome outcome;
    const char *code;
    uint64_t retry_after_ms;
};

struct fake_bucket {
    struct fake_object objects[FAKE_OBJECTS];
    struct fake_upload uploads[FAKE_UPLOADS];
    unsigned uploads_made;
    struct fake_fault faults[FAKE_FAULTS];
    unsigned fault_count;
    unsigned calls[FAKE_OPERATIONS]; /* how often each was asked for */
    unsigned total_calls;
    char last_location[S3_LOCATION_SIZE]; /* of the last call */
    size_t part_bytes_sent;
    unsigned page_parts; /* in one page of ListParts; 0: all */
    bool large_parts;    /* of more than FAKE_PART_BYTES */
    bool opaque_etags;   /* as of a server that encrypts: not the MD5 of the bytes */
    bool conditional;    /* objects are not replaced */
    bool drops_metadata; /* HEAD shows no mark */
    size_t adds_bytes;   /* HEAD shows so many more than were sent */
    unsigned etags_made;
    bool overwrote; /* an object was replaced by one with another mark: must never be */
};

static inline void fake_fault_on(struct fake_bucket *bucket, struct fake_fault fault)
{
    ck_assert_uint_lt(bucket->fault_count, FAKE_FAULTS);
    bucket->faults[bucket->fault_count++] = fault;
}

/* ---- what is in it ----------------------------------------------------------------------------
 */

static inline struct fake_object *fake_find_object(struct fake_bucket *bucket, const char *key)
{
    for (unsigned i = 0; i < FAKE_OBJECTS; i++)
        if (bucket->objects[i].there && !strcmp(bucket->objects[i].key, key))
            return &bucket->objects[i];
    return NULL;
}

static inline struct fake_object *fake_put_object(struct fake_bucket *bucket, const char *key,
                                                  const char *mark, const void *bytes, size_t size)
{
    struct fake_object *object = fake_find_object(bucket, key);

    if (object && strcmp(object->mark, mark) != 0)
        bucket->overwrote = true;
    for (unsigned i = 0; !object && i < FAKE_OBJECTS; i++)
        if (!bucket->objects[i].there)
            object = &bucket->objects[i];
    ck_assert_ptr_nonnull(object);
    ck_assert_uint_le(size, sizeof object->bytes);
    object->there = true;
    snprintf(object->key, sizeof object->key, "%s", key);
    snprintf(object->mark, sizeof object->mark, "%s", mark);
    snprintf(object->etag, sizeof object->etag, "object-%u", ++bucket->etags_made);
    memcpy(object->bytes, bytes, size);
    object->size = size;
    return object;
}

static inline struct fake_upload *fake_find_upload(struct fake_bucket *bucket, const char *id)
{
    for (unsigned i = 0; id && i < FAKE_UPLOADS; i++)
        if (bucket->uploads[i].open && !strcmp(bucket->uploads[i].id, id))
            return &bucket->uploads[i];
    return NULL;
}

static inline struct fake_upload *fake_open_upload(struct fake_bucket *bucket, const char *key,
                                                   const char *mark)
{
    for (unsigned i = 0; i < FAKE_UPLOADS; i++) {
        struct fake_upload *upload = &bucket->uploads[i];

        if (upload->open)
            continue;
        memset(upload, 0, sizeof *upload);
        upload->open = true;
        snprintf(upload->id, sizeof upload->id, "upload-%u", ++bucket->uploads_made);
        snprintf(upload->key, sizeof upload->key, "%s", key);
        snprintf(upload->mark, sizeof upload->mark, "%s", mark);
        return upload;
    }
    ck_abort_msg("too many uploads");
    return NULL;
}

static inline unsigned fake_open_uploads(const struct fake_bucket *bucket)
{
    unsigned open = 0;

    for (unsigned i = 0; i < FAKE_UPLOADS; i++)
        open += bucket->uploads[i].open;
    return open;
}

/* As servers do that remove unfinished uploads after a day. */
static inline void fake_expire_uploads(struct fake_bucket *bucket)
{
    for (unsigned i = 0; i < FAKE_UPLOADS; i++)
        bucket->uploads[i].open = false;
}

/* ---- answers ---------------------------------------------------------------------------------
 */

static inline void fake_answer(struct s3_result *result, enum s3_outcome outcome, const char *code)
{
    enum error_kind kind = outcome == S3_REFUSED ? ERROR_PERMANENT : ERROR_TRANSIENT;

    result->outcome = outcome;
    if (outcome == S3_DONE)
        return;
    error_set(&result->error, kind, "the fake bucket says %s", code ? code : "no");
    if (code)
        snprintf(result->error.s3_code, sizeof result->error.s3_code, "%s", code);
}

/* Reads the body of a call as the network would; false when it isn't what was promised. */
static inline bool fake_read_body(const struct s3_call *call, uint8_t *ret_bytes)
{
    uint8_t digest[DIGEST_SHA256_BYTES];
    char hex[DIGEST_SHA256_HEX];

    ck_assert_uint_le(call->length, FAKE_OBJECT_BYTES);
    if (pread(call->fd, ret_bytes, call->length, (off_t)call->offset) != (ssize_t)call->length)
        return false;
    ck_assert(digest_sha256(ret_bytes, call->length, digest));
    digest_hex(digest, sizeof digest, hex);
    return !strcmp(hex, call->payload_sha256);
}

static inline void fake_name_part(struct fake_bucket *bucket, struct fake_part *part)
{
    uint8_t digest[DIGEST_MD5_BYTES];

    if (bucket->opaque_etags) {
        snprintf(part->etag, sizeof part->etag, "opaque-%u", ++bucket->etags_made);
        return;
    }
    ck_assert(digest_md5(part->bytes, part->size, digest));
    digest_hex(digest, sizeof digest, part->etag);
}

static inline void fake_head(struct fake_bucket *bucket, const struct s3_call *call,
                             struct s3_result *result)
{
    const struct fake_object *object = fake_find_object(bucket, call->key);

    if (!object) {
        fake_answer(result, S3_NO_SUCH_KEY, NULL);
        return;
    }
    result->size_bytes = object->size + bucket->adds_bytes;
    result->same_session = object->same_session;
    if (!bucket->drops_metadata)
        snprintf(result->mark, sizeof result->mark, "%s", object->mark);
    snprintf(result->etag, sizeof result->etag, "%s", object->etag);
}

static inline void fake_get(struct fake_bucket *bucket, const struct s3_call *call,
                            struct s3_result *result)
{
    const struct fake_object *object = fake_find_object(bucket, call->key);
    size_t at = (size_t)call->offset, left;

    if (!object) {
        fake_answer(result, S3_NO_SUCH_KEY, NULL);
        return;
    }
    left = at < object->size ? object->size - at : 0;
    buffer_init(&result->body, FAKE_OBJECT_BYTES);
    buffer_append(&result->body, object->bytes + at, call->length < left ? call->length : left);
}

static inline void fake_put(struct fake_bucket *bucket, const struct s3_call *call,
                            struct s3_result *result)
{
    static uint8_t bytes[FAKE_OBJECT_BYTES];

    if (!fake_read_body(call, bytes))
        fake_answer(result, S3_RETRY, "XAmzContentSHA256Mismatch");
    else if (bucket->conditional && !call->replaces && fake_find_object(bucket, call->key))
        fake_answer(result, S3_KEY_TAKEN, "PreconditionFailed");
    else
        fake_put_object(bucket, call->key, call->metadata->mark ? call->metadata->mark : "", bytes,
                        call->length);
}

static inline void fake_upload_part(struct fake_bucket *bucket, const struct s3_call *call,
                                    struct s3_result *result)
{
    struct fake_upload *upload = fake_find_upload(bucket, call->upload_id);
    static uint8_t bytes[FAKE_OBJECT_BYTES];
    struct fake_part *part;

    if (!upload) {
        fake_answer(result, S3_NO_SUCH_UPLOAD, "NoSuchUpload");
        return;
    }
    ck_assert_str_eq(upload->key, call->key);
    ck_assert_uint_ge(call->part_number, 1);
    ck_assert_uint_le(call->part_number, FAKE_PARTS);
    ck_assert_uint_le(call->length, bucket->large_parts ? FAKE_OBJECT_BYTES : FAKE_PART_BYTES);
    if (!fake_read_body(call, bytes)) {
        fake_answer(result, S3_RETRY, "XAmzContentSHA256Mismatch");
        return;
    }
    part = &upload->parts[call->part_number - 1];
    part->there = true;
    part->size = call->length;
    memcpy(part->bytes, bytes, part->size);
    fake_name_part(bucket, part);
    bucket->part_bytes_sent += part->size;
    snprintf(result->etag, sizeof result->etag, "%s", part->etag);
}

static inline void fake_list_parts(struct fake_bucket *bucket, const struct s3_call *call,
                                   struct s3_result *result)
{
    struct fake_upload *upload = fake_find_upload(bucket, call->upload_id);
    struct s3_xml_listing *listing = &result->listing;
    unsigned most = bucket->page_parts ? bucket->page_parts : FAKE_PARTS;

    if (!upload) {
        fake_answer(result, S3_NO_SUCH_UPLOAD, "NoSuchUpload");
        return;
    }
    listing->items = calloc(FAKE_PARTS, sizeof *listing->items);
    ck_assert_ptr_nonnull(listing->items);
    for (unsigned number = call->part_number_marker + 1; number <= FAKE_PARTS; number++) {
        const struct fake_part *part = &upload->parts[number - 1];
        struct s3_xml_item *item = &listing->items[listing->count];

        if (!part->there)
            continue;
        if (listing->count == most) {
            listing->truncated = true;
            break;
        }
        item->part_number = number;
        item->size_bytes = part->size;
        snprintf(item->etag, sizeof item->etag, "%s", part->etag);
        listing->next_part_number_marker = number;
        listing->count++;
    }
}

static inline void fake_list_uploads(struct fake_bucket *bucket, const struct s3_call *call,
                                     struct s3_result *result)
{
    struct s3_xml_listing *listing = &result->listing;

    listing->items = calloc(FAKE_UPLOADS, sizeof *listing->items);
    ck_assert_ptr_nonnull(listing->items);
    for (unsigned i = 0; i < FAKE_UPLOADS; i++) {
        if (!bucket->uploads[i].open || strcmp(bucket->uploads[i].key, call->key) != 0)
            continue;
        listing->items[listing->count].key = strdup(call->key);
        listing->items[listing->count].upload_id = strdup(bucket->uploads[i].id);
        listing->count++;
    }
}

/* The part numbers and ETags of a Complete body must be those of all parts, in order. */
static inline bool fake_lists_all_parts(const struct fake_upload *upload, const char *body)
{
    for (unsigned number = 1; number <= FAKE_PARTS; number++) {
        const struct fake_part *part = &upload->parts[number - 1];
        char expected[160];

        if (!part->there)
            continue;
        snprintf(expected, sizeof expected,
                 "<Part><PartNumber>%u</PartNumber><ETag>\"%s\"</ETag></Part>", number, part->etag);
        body = strstr(body, "<Part>");
        if (!body || strncmp(body, expected, strlen(expected)) != 0)
            return false;
        body += strlen(expected);
    }
    return !strstr(body, "<Part>");
}

static inline void fake_complete(struct fake_bucket *bucket, const struct s3_call *call,
                                 struct s3_result *result)
{
    struct fake_upload *upload = fake_find_upload(bucket, call->upload_id);
    static uint8_t bytes[FAKE_OBJECT_BYTES];
    size_t size = 0;

    if (!upload) {
        fake_answer(result, S3_NO_SUCH_UPLOAD, "NoSuchUpload");
        return;
    }
    if (!fake_lists_all_parts(upload, buffer_text(call->body))) {
        fake_answer(result, S3_BAD_PART, "InvalidPart");
        return;
    }
    if (bucket->conditional && !call->replaces && fake_find_object(bucket, call->key)) {
        fake_answer(result, S3_KEY_TAKEN, "PreconditionFailed");
        return;
    }
    for (unsigned i = 0; i < FAKE_PARTS; i++) {
        memcpy(bytes + size, upload->parts[i].bytes, upload->parts[i].size);
        size += upload->parts[i].size;
    }
    fake_put_object(bucket, upload->key, upload->mark, bytes, size);
    upload->open = false;
}

/* Does what the call says, and answers truly. */
static inline void fake_act(struct fake_bucket *bucket, const struct s3_call *call,
                            struct s3_result *result)
{
    struct fake_upload *upload;

    *result = (struct s3_result){.outcome = S3_DONE, .sent = true};
    switch (call->operation) {
    case S3_HEAD_OBJECT:
        fake_head(bucket, call, result);
        break;
    case S3_GET_RANGE:
        fake_get(bucket, call, result);
        break;
    case S3_PUT_OBJECT:
        fake_put(bucket, call, result);
        break;
    case S3_CREATE_UPLOAD:
        upload = fake_open_upload(bucket, call->key, call->metadata->mark);
        snprintf(result->upload_id, sizeof result->upload_id, "%s", upload->id);
        break;
    case S3_UPLOAD_PART:
        fake_upload_part(bucket, call, result);
        break;
    case S3_LIST_PARTS:
        fake_list_parts(bucket, call, result);
        break;
    case S3_COMPLETE_UPLOAD:
        fake_complete(bucket, call, result);
        break;
    case S3_ABORT_UPLOAD:
        upload = fake_find_upload(bucket, call->upload_id);
        if (upload)
            upload->open = false;
        else
            fake_answer(result, S3_NO_SUCH_UPLOAD, "NoSuchUpload");
        break;
    case S3_LIST_UPLOADS:
        fake_list_uploads(bucket, call, result);
        break;
    case S3_DELETE_OBJECT: /* uploads never ask for it */
        fake_answer(result, S3_REFUSED, "AccessDenied");
        break;
    }
}

static inline void fake_fail(struct fake_bucket *bucket, const struct fake_fault *fault,
                             const struct s3_call *call, struct s3_result *result)
{
    if (fault->kind == FAKE_LOSE_REPLY) {
        fake_act(bucket, call, result);
        s3_result_done(result);
    }
    *result = (struct s3_result){.sent = fault->kind != FAKE_NO_CONNECTION,
                                 .retry_after_ms = fault->retry_after_ms};
    if (fault->kind == FAKE_ANSWER)
        fake_answer(result, fault->outcome, fault->code);
    else
        fake_answer(result, S3_RETRY, NULL);
}

/* As fake_act(), with the faults that are scripted. */
static inline void fake_call(struct fake_bucket *bucket, const struct s3_call *call,
                             struct s3_result *result)
{
    unsigned count = ++bucket->calls[call->operation];

    ck_assert_ptr_nonnull(call->key);
    snprintf(bucket->last_location, sizeof bucket->last_location, "%s",
             call->location ? call->location : "");
    ck_assert_uint_lt(++bucket->total_calls, 3000); /* else it would go on for ever */
    for (unsigned i = 0; i < bucket->fault_count; i++) {
        const struct fake_fault *fault = &bucket->faults[i];

        if (fault->operation == call->operation && count >= fault->first && count <= fault->last) {
            fake_fail(bucket, fault, call, result);
            return;
        }
    }
    fake_act(bucket, call, result);
}

/* What housekeeping makes of the journal's leftovers. */
static inline void fake_housekeep(struct fake_bucket *bucket, struct journal *journal)
{
    struct journal_leftover leftover = {.id = 0};
    struct error err = ERROR_INIT;
    bool found = true;

    while (found) {
        ck_assert(journal_next_leftover(journal, leftover.id, &leftover, &found, &err));
        for (unsigned i = 0; found && i < FAKE_UPLOADS; i++) {
            struct fake_upload *open = &bucket->uploads[i];
            bool has_parts = false;

            for (unsigned k = 0; k < FAKE_PARTS; k++)
                has_parts |= open->parts[k].there;
            if (leftover.upload_id[0] ? !strcmp(open->id, leftover.upload_id)
                                      : !strcmp(open->key, leftover.key) && !has_parts)
                open->open = false;
        }
    }
}
