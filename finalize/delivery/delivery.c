#include "finalize/delivery/delivery_private.h"

#include "finalize/s3/s3_location.h"
#include "finalize/session/file_name.h"
#include "finalize/session/mp4_index.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- opening -------------------------------------------------------------------------------- */

static void on_report(void *context, const char *sentence)
{
    struct delivery *delivery = context;

    delivery->options.event(delivery->options.context, DELIVERY_REMARK, &delivery->file, sentence,
                            NULL);
}

static bool is_as_expected(const struct delivery *delivery, const struct file_identity *identity)
{
    const struct file_identity *expected = &delivery->file.identity;

    if (!delivery->options.growing)
        return file_identity_same(identity, expected);
    return identity->inode == expected->inode && identity->size_bytes >= expected->size_bytes;
}

/* The file of that name, not the open one alone: another may have been put in its place. */
static bool on_unchanged(void *context)
{
    struct delivery *delivery = context;
    struct file_identity identity;
    struct error err = ERROR_INIT;
    int fd;

    if (delivery->only_look)
        return true;
    if (!session_dir_open_file(delivery->options.recording, delivery->file.path, &fd, &identity,
                               &err))
        return false;
    close(fd);
    return is_as_expected(delivery, &identity);
}

static bool choose_base_key(struct delivery *delivery, struct error *err)
{
    const struct delivery_options *options = &delivery->options;
    const char *media_name =
        delivery->file.media ? file_name_of(delivery->file.path) : options->main_media_name;
    const char *underscore = strchr(media_name, '_');
    char meeting[SESSION_NAME_SIZE];
    struct key_values values = {.session = session_dir_session_id(options->recording),
                                .instance = options->settings->instance_id,
                                .metadata = options->metadata};

    if (underscore && underscore > media_name) {
        snprintf(meeting, sizeof meeting, "%.*s", (int)(underscore - media_name), media_name);
        values.meeting = meeting;
    }
    /* The day in the recording's name, or else of the file's last change. */
    if (!file_name_day(media_name, &values.year, &values.month, &values.day))
        key_set_day(&values, delivery->mtime_ns / 1000000000);
    return key_choose(options->settings->s3_key_prefix, &values, delivery->file.path,
                      delivery->file.media, delivery->base_key, err);
}

/* metadata.json may have to go without a member: that one is uploaded from memory. */
static bool choose_bytes(struct delivery *delivery, struct error *err)
{
    delivery->upload_fd = delivery->fd;
    delivery->file.object_bytes = delivery->file.identity.size_bytes;
    if (strcmp(delivery->file.path, METADATA_FILE_NAME) != 0)
        return true;
    if (!metadata_read(delivery->fd, delivery->file.identity.size_bytes, &delivery->metadata, err))
        return false;
    if (delivery->metadata.treatment == METADATA_WITHHELD)
        return error_set(err, ERROR_PERMANENT, "%s may hold credentials", delivery->file.path);
    if (delivery->metadata.treatment == METADATA_REDACTED) {
        delivery->upload_fd = delivery->metadata.redacted_fd;
        delivery->file.object_bytes = delivery->metadata.redacted_bytes;
    }
    return true;
}

/* Whether it is in fragments, or was before it got its index. */
static bool is_in_fragments(const struct delivery *delivery)
{
    return delivery->file.media && file_name_is_mp4(delivery->file.path) &&
           mp4_index_look(delivery->fd) != MP4_ORDINARY;
}

static bool open_upload(struct delivery *delivery, struct error *err)
{
    struct upload_options options = {
        .settings = delivery->options.settings,
        .journal = delivery->options.journal,
        .file = &delivery->file,
        .rng = delivery->options.rng,
        .stats = delivery->options.stats,
        .fd = delivery->upload_fd,
        .base_key = delivery->base_key,
        .content_type = file_name_content_type(file_name_of(delivery->file.path)),
        .session_id =
            delivery->only_look ? "" : session_dir_session_id(delivery->options.recording),
        .growing = delivery->options.growing,
        .fragmented = is_in_fragments(delivery),
        .only_look = delivery->only_look,
        .unchanged = on_unchanged,
        .report = on_report,
        .context = delivery,
    };

    return upload_open(&options, &delivery->upload, err);
}

static bool open_for_upload(struct delivery *delivery, struct error *err)
{
    struct file_identity identity;

    if (!session_dir_open_file(delivery->options.recording, delivery->file.path, &delivery->fd,
                               &identity, err))
        return false;
    if (!is_as_expected(delivery, &identity))
        return error_set(err, ERROR_CHANGED, "%s changed", delivery->file.path);
    delivery->mtime_ns = identity.mtime_ns;
    return choose_bytes(delivery, err) && choose_base_key(delivery, err) &&
           open_upload(delivery, err);
}

static bool open_to_look(struct delivery *delivery, struct error *err)
{
    const struct journal_file *file = &delivery->file;

    delivery->only_look = true;
    if (s3_location_is_reached(file->location, delivery->options.settings))
        return open_upload(delivery, err);
    return file->state == JOURNAL_FILE_UPLOADED || /* the row is all that there is to go by */
           error_set(err, ERROR_PERMANENT,
                     "%s is gone from the disk and may be in %s, which the settings do not name",
                     file->path, file->location);
}

static bool open_file(struct delivery *delivery, struct error *err)
{
    struct error failure = ERROR_INIT;

    if (delivery->options.notify_only || !delivery->options.recording)
        return open_to_look(delivery, err);
    if (open_for_upload(delivery, &failure))
        return true;
    if (delivery->fd < 0 && journal_file_may_be_stored(&delivery->file))
        return open_to_look(delivery, err);
    *err = failure;
    return false;
}

bool delivery_open(const struct delivery_options *options, const struct journal_file *row,
                   struct delivery **ret_delivery, struct error *err)
{
    struct delivery *delivery = calloc(1, sizeof *delivery);

    if (!delivery)
        return error_set(err, ERROR_TRANSIENT, "no memory to upload %s", row->path);
    delivery->options = *options;
    delivery->file = *row;
    delivery->fd = -1;
    delivery->metadata.redacted_fd = -1;
    if (row->state == JOURNAL_FILE_UPLOADED)
        delivery->uploaded_before = row->uploaded_at;
    if (!open_file(delivery, err)) {
        delivery_close(delivery);
        return false;
    }
    *ret_delivery = delivery;
    return true;
}

void delivery_close(struct delivery *delivery)
{
    if (!delivery)
        return;
    upload_close(delivery->upload);
    metadata_done(&delivery->metadata);
    if (delivery->fd >= 0)
        close(delivery->fd);
    free(delivery);
}

/* ---- steps and replies ---------------------------------------------------------------------- */

void delivery_note_asked(struct delivery *delivery, uint64_t until_ms, uint64_t now_ms, int64_t now)
{
    if (until_ms > now_ms)
        delivery->retry_at = now + (int64_t)((until_ms - now_ms + 999) / 1000);
}

void delivery_end_with(struct delivery *delivery, const struct error *error)
{
    delivery->error = *error;
    delivery->ended = true;
}

static bool translate(struct delivery *delivery, const struct upload_step *asked, uint64_t now_ms,
                      int64_t now, struct delivery_step *ret_step, struct error *err)
{
    ret_step->kind = asked->kind;
    ret_step->slot = asked->slot;
    ret_step->until_ms = asked->until_ms;
    switch (asked->kind) {
    case UPLOAD_STEP_REQUEST:
        delivery->calls[asked->slot] = asked->call;
        delivery->started_ms[asked->slot] = now_ms;
        return s3_build(delivery->options.s3, &asked->call, (time_t)now, &ret_step->request, err);
    case UPLOAD_STEP_READ:
        ret_step->read = (struct hasher_job){.fd = delivery->upload_fd,
                                             .offset = asked->read.offset,
                                             .length = asked->read.length,
                                             .wants = asked->read.wants,
                                             .owner = delivery,
                                             .slot = asked->slot};
        return true;
    default:
        return true;
    }
}

/* The upload has ended: on to the notice, or to the end. */
static void leave_upload(struct delivery *delivery, uint64_t now_ms, int64_t now)
{
    const struct error *error = upload_error(delivery->upload);
    struct error changed = ERROR_INIT;

    if (error && error->kind != ERROR_CHANGED && !on_unchanged(delivery)) {
        /* Whatever went wrong, it is another file now: that one is to be uploaded. */
        error_set(&changed, ERROR_CHANGED, "%s changed while it was uploaded", delivery->file.path);
        error = &changed;
    }
    if (error) {
        delivery_note_asked(delivery, upload_asked_until_ms(delivery->upload), now_ms, now);
        delivery_end_with(delivery, error);
        return;
    }
    if (delivery->options.growing) {
        delivery->ended = true;
        return;
    }
    if (delivery->file.uploaded_at != delivery->uploaded_before)
        delivery->options.event(delivery->options.context, DELIVERY_UPLOADED, &delivery->file, "",
                                NULL);
    upload_close(delivery->upload);
    delivery->upload = NULL;
}

static bool take_result(struct delivery *delivery, unsigned slot, struct s3_result *result,
                        uint64_t now_ms, int64_t now, struct error *err)
{
    bool ok;

    if (result->outcome == S3_RETRY || result->outcome == S3_SLOW_DOWN)
        delivery->options.event(delivery->options.context, DELIVERY_RETRY, &delivery->file, "",
                                &result->error);
    ok = upload_take_reply(delivery->upload, slot, result, now_ms, now, err);
    s3_result_done(result);
    return ok;
}

/* The upload's next step. A request that can't be signed has failed as one that can't be sent. */
static bool next_upload_step(struct delivery *delivery, bool may_send, uint64_t now_ms, int64_t now,
                             struct upload_step *ret_asked, struct error *err)
{
    const struct s3 *s3 = delivery->options.s3;
    enum credentials_state keys = credentials_state(s3_credentials(s3), now_ms);
    struct s3_result result;

    may_send = may_send && keys != CREDENTIALS_AWAITED;
    while (upload_next(delivery->upload, may_send, now_ms, now, ret_asked, err)) {
        if (ret_asked->kind != UPLOAD_STEP_REQUEST || keys == CREDENTIALS_READY)
            return true;
        s3_read_unsigned(s3, &result);
        if (!take_result(delivery, ret_asked->slot, &result, now_ms, now, err))
            return false;
    }
    return false;
}

bool delivery_next(struct delivery *delivery, bool may_send, uint64_t now_ms, int64_t now,
                   struct delivery_step *ret_step, struct error *err)
{
    *ret_step = (struct delivery_step){.kind = UPLOAD_STEP_NONE};
    if (delivery->upload && !delivery->ended) {
        struct upload_step asked;

        if (!next_upload_step(delivery, may_send, now_ms, now, &asked, err))
            return false;
        if (asked.kind != UPLOAD_STEP_END)
            return translate(delivery, &asked, now_ms, now, ret_step, err);
        leave_upload(delivery, now_ms, now);
    }
    if (!delivery->ended)
        return delivery_next_notice_step(delivery, may_send, now_ms, now, ret_step, err);
    ret_step->kind = UPLOAD_STEP_END;
    return true;
}

bool delivery_take_bytes(struct delivery *delivery, unsigned slot,
                         const struct hasher_result *result, struct error *err)
{
    return !delivery->upload || upload_take_bytes(delivery->upload, slot, result, err);
}

static void tell_pace(struct pace *pace, const struct s3_result *result, uint64_t now_ms)
{
    if (!pace)
        return;
    if (result->outcome == S3_SLOW_DOWN)
        pace_slow_down(pace, now_ms);
    else if (result->outcome == S3_RETRY && result->sent)
        pace_failed(pace, now_ms);
    else if (result->outcome == S3_DONE)
        pace_succeeded(pace);
}

bool delivery_take_reply(struct delivery *delivery, unsigned slot, const struct http_reply *reply,
                         uint64_t now_ms, int64_t now, struct pace *pace, struct error *err)
{
    struct s3_result result;

    if (slot == DELIVERY_NOTICE_SLOT)
        return delivery_take_notice_reply(delivery, reply, now_ms, now, err);
    if (!delivery->upload)
        return true;
    s3_read(delivery->options.s3, &delivery->calls[slot], reply, (time_t)now, &result);
    tell_pace(pace, &result, now_ms);
    stats_count_s3(delivery->options.stats, delivery->calls[slot].operation, result.outcome,
                   &result.error, reply->bytes_sent, now_ms - delivery->started_ms[slot], now);
    return take_result(delivery, slot, &result, now_ms, now, err);
}

struct delivery_outcome delivery_outcome(const struct delivery *delivery)
{
    return (struct delivery_outcome){
        .file = &delivery->file,
        .error = delivery->error.kind == ERROR_NONE ? NULL : &delivery->error,
        .retry_at = delivery->retry_at,
    };
}

void delivery_progress(const struct delivery *delivery, uint64_t *ret_held, uint64_t *ret_kept)
{
    if (delivery->upload) {
        upload_progress(delivery->upload, ret_held, ret_kept);
        return;
    }
    *ret_held = delivery->file.object_bytes;
    *ret_kept = delivery->file.uploaded_at == delivery->uploaded_before ? *ret_held : 0;
}
