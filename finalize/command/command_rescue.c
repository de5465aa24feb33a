/* command_rescue - jibri-finalize rescue: recordings whose recorder is gone, from what the bucket
 * holds of them. Needs neither a recordings directory nor a journal. */
#include "config/units.h"
#include "finalize/base/json_text.h"
#include "finalize/command/command.h"
#include "finalize/command/command_table.h"
#include "finalize/command/text_column.h"
#include "finalize/delivery/rescue.h"
#include "finalize/program/explain.h"
#include "finalize/program/log.h"
#include "finalize/program/program.h"
#include "finalize/session/file_name.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define RECENT_S    3600 /* an upload that got a part since may still have its recorder */
#define JSON_SCHEMA 1

struct work {
    const struct command_line *line;
    struct settings settings;
    struct program_stop stop;
    struct rescue rescue;
    struct rng rng;

    struct rescue_upload *uploads; /* found; owned */
    size_t count;
    struct rescue_result result;
    const char *key; /* of the result */
};

/* ---- what is shown --------------------------------------------------------------------------- */

static const char *format_time(int64_t at, char *out, size_t size)
{
    time_t seconds = (time_t)at;
    struct tm tm;

    if (!at || !localtime_r(&seconds, &tm) || !strftime(out, size, "%Y-%m-%d %H:%M", &tm))
        snprintf(out, size, "-");
    return out;
}

static void append_meeting(const struct settings *settings, const char *key, struct buffer *out)
{
    struct buffer name;
    const char *text;

    buffer_init(&name, S3_MAX_KEY_BYTES);
    rescue_append_name(settings, key, &name);
    text = buffer_text(&name);
    buffer_append(out, text, strcspn(text, "_"));
    buffer_done(&name);
}

static void append_upload(const struct work *work, const struct rescue_upload *upload,
                          struct buffer *out)
{
    char started[32], last[32], size[32];
    struct buffer meeting;

    buffer_init(&meeting, S3_MAX_KEY_BYTES);
    append_meeting(&work->settings, upload->key, &meeting);
    text_column_append_padded(out, buffer_text(&meeting), 16);
    buffer_append_format(out, "  %-16s  %-16s  %5u",
                         format_time(upload->started_at, started, sizeof started),
                         format_time(upload->last_part_at, last, sizeof last), upload->in_a_row);
    buffer_append_format(out, "  %9s  ", units_format_size(upload->bytes, size, sizeof size));
    text_column_append(out, upload->key, 0);
    if (upload->of_rescue)
        buffer_append_text(out, " (of rescue KEY, which was interrupted: call it again)");
    else if (!upload->parts)
        buffer_append_text(out, " (no part has come)");
    else if (!upload->in_a_row)
        buffer_append_text(out, " (its first part is missing: nothing of it plays)");
    else if (upload->parts > upload->in_a_row)
        buffer_append_format(out, " (of %u parts: there is a gap)", upload->parts);
    buffer_append_text(out, "\n");
    buffer_done(&meeting);
}

static bool write_list(void *context, struct buffer *out, struct error *err)
{
    const struct work *work = context;

    (void)err;
    if (!work->count)
        buffer_append_text(out, "the bucket has no open multipart upload of a recording\n");
    else
        buffer_append_text(out, "MEETING           STARTED           LAST PART         PARTS       "
                                "SIZE  KEY\n");
    for (size_t i = 0; i < work->count; i++)
        append_upload(work, &work->uploads[i], out);
    if (work->count)
        buffer_append_text(out, "to make a recording of one: jibri-finalize rescue KEY\n");
    return true;
}

static void write_upload_json(const struct work *work, const struct rescue_upload *upload,
                              FILE *out)
{
    struct buffer meeting;

    buffer_init(&meeting, S3_MAX_KEY_BYTES);
    append_meeting(&work->settings, upload->key, &meeting);
    fputs("{\"key\":", out);
    json_text_string(out, upload->key);
    json_text_member(out, "meeting", buffer_text(&meeting));
    json_text_member_time(out, "started_at", upload->started_at);
    json_text_member_time(out, "last_part_at", upload->last_part_at);
    fprintf(out, ",\"parts\":%u,\"parts_in_a_row\":%u,\"bytes\":%" PRIu64 ",\"of_rescue\":%s}",
            upload->parts, upload->in_a_row, upload->bytes, upload->of_rescue ? "true" : "false");
    buffer_done(&meeting);
}

static bool write_list_json(void *context, FILE *out, struct error *err)
{
    const struct work *work = context;

    (void)err;
    fprintf(out, "{\"schema\":%d,\"uploads\":[", JSON_SCHEMA);
    for (size_t i = 0; i < work->count; i++) {
        fputs(i ? "," : "", out);
        write_upload_json(work, &work->uploads[i], out);
    }
    fputs("]}\n", out);
    return true;
}

static bool write_result(void *context, struct buffer *out, struct error *err)
{
    const struct work *work = context;
    const struct rescue_result *result = &work->result;
    char size[32], duration[32];

    (void)err;
    text_column_append(out, work->key, 0);
    buffer_append_format(out, ": %s%s", result->was_there ? "was rescued before; " : "",
                         units_format_size(result->bytes, size, sizeof size));
    if (result->plays && result->duration_ms)
        buffer_append_format(out, ", plays up to %s",
                             units_format_duration(result->duration_ms, duration, sizeof duration));
    else
        buffer_append_text(out, result->plays ? ", plays" : ", does not play");
    if (result->plays && !result->indexed)
        buffer_append_text(out, ", in fragments");
    if (result->parts_left_out)
        buffer_append_format(out, "; %u part(s) after a gap were left out", result->parts_left_out);
    if (result->backend_row)
        buffer_append_format(out, "; the backend was told (row %" PRId64 ")", result->backend_row);
    else
        buffer_append_text(out, result->told ? "; the backend was told before"
                                             : "; the backend was not told");
    buffer_append_text(out, "\n");
    return true;
}

static bool write_result_json(void *context, FILE *out, struct error *err)
{
    const struct work *work = context;
    const struct rescue_result *result = &work->result;

    (void)err;
    fprintf(out, "{\"schema\":%d,\"key\":", JSON_SCHEMA);
    json_text_string(out, work->key);
    fprintf(out, ",\"bytes\":%" PRIu64 ",\"plays\":%s,\"indexed\":%s,\"duration_seconds\":",
            result->bytes, result->plays ? "true" : "false", result->indexed ? "true" : "false");
    if (result->duration_ms)
        fprintf(out, "%" PRIu64 ".%03u", result->duration_ms / 1000,
                (unsigned)(result->duration_ms % 1000));
    else
        fputs("null", out);
    fprintf(out, ",\"parts_left_out\":%u,\"notified\":%s,\"backend_row\":", result->parts_left_out,
            result->told ? "true" : "false");
    if (result->backend_row)
        fprintf(out, "%" PRId64 "}\n", result->backend_row);
    else
        fputs("null}\n", out);
    return true;
}

/* ---- the work -------------------------------------------------------------------------------- */

static bool on_stop_requested(void *context)
{
    return program_stop_requested(&((struct work *)context)->stop);
}

static void on_report(void *context, const char *sentence)
{
    (void)context;
    fprintf(stderr, "jibri-finalize: it %s\n", sentence);
}

static bool on_found(void *context, const struct rescue_upload *upload, struct error *err)
{
    struct work *work = context;
    struct rescue_upload *more =
        reallocarray(work->uploads, work->count + 1, sizeof *work->uploads);

    if (!more)
        return error_set(err, ERROR_TRANSIENT, "no memory for the list");
    work->uploads = more;
    work->uploads[work->count++] = *upload;
    return true;
}

/* Of one meeting's key there may be several, when an upload was begun again: the one with most. An
 * earlier call's own tells nothing of the recorder. */
static const struct rescue_upload *longest(const struct work *work, size_t *ret_count)
{
    const struct rescue_upload *found = NULL;

    *ret_count = 0;
    for (size_t i = 0; i < work->count; i++) {
        if (work->uploads[i].of_rescue)
            continue;
        ++*ret_count;
        if (!found || work->uploads[i].bytes > found->bytes)
            found = &work->uploads[i];
    }
    return found;
}

/* What is in the bucket by now is said first: a recording that plays is safe, whatever failed. */
static int fail(struct work *work, const struct error *err)
{
    const struct rescue_result *result = &work->result;
    const char *advice = explain_repair(err);
    struct error ignored = ERROR_INIT;
    struct buffer done;

    if (result->plays) {
        buffer_init(&done, 2 * S3_MAX_KEY_BYTES);
        (void)write_result(work, &done, &ignored);
        fprintf(stderr, "jibri-finalize: %s", buffer_text(&done));
        buffer_done(&done);
    }
    if (!advice && err->kind == ERROR_NO_INPUT)
        advice = "jibri-finalize rescue lists what there is";
    if (!advice && err->kind == ERROR_PERMANENT)
        advice = result->plays   ? "the recording is in the bucket; tell the backend by hand"
                 : result->bytes ? "look at the object: it is all that the bucket has of it"
                                 : "move or delete that object if it is not wanted, and call again";
    return command_fail_with(err, advice ? advice : "call it again: it goes on where it stopped");
}

static int list(struct work *work)
{
    struct error err = ERROR_INIT;

    if (!rescue_list(&work->rescue, NULL, on_found, work, &err))
        return fail(work, &err);
    return command_line_value(work->line, "json") ? command_print_json(write_list_json, work)
                                                  : command_print_text(write_list, work);
}

static bool is_recent(const struct rescue_upload *upload)
{
    int64_t last = upload->last_part_at ? upload->last_part_at : upload->started_at;

    return !last || time(NULL) - last < RECENT_S;
}

static bool is_confirmed(void)
{
    char answer[16];

    printf("Its last part came within the last hour: is its recorder gone for good? [y/N] ");
    fflush(stdout);
    return fgets(answer, sizeof answer, stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

static int complete(struct work *work)
{
    const struct rescue_upload *upload;
    struct error err = ERROR_INIT;
    size_t count;

    work->key = work->line->names[0];
    if (!rescue_list(&work->rescue, work->key, on_found, work, &err))
        return fail(work, &err);
    upload = longest(work, &count);
    if (upload && upload->in_a_row && is_recent(upload) &&
        !command_line_value(work->line, "force")) {
        if (!isatty(STDIN_FILENO))
            return command_line_misused(
                work->line, "its last part came within the last hour, so its recorder may be at "
                            "work, and there is no terminal to ask on: say --force if it is gone "
                            "for good");
        if (!is_confirmed()) {
            printf("nothing was done\n");
            return EXPLAIN_EXIT_OK;
        }
    }
    if (!rescue_complete(&work->rescue, work->key, upload, &work->result, &err))
        return fail(work, &err);
    if (count > 1)
        fprintf(stderr,
                "jibri-finalize: it leaves %zu other multipart upload(s) of this key open\n",
                count - 1);
    return command_line_value(work->line, "json") ? command_print_json(write_result_json, work)
                                                  : command_print_text(write_result, work);
}

static int run(struct work *work)
{
    struct loop_stop stop = {.requested = on_stop_requested, .context = work};
    struct loop *loop = NULL;
    struct s3 *s3 = NULL;
    struct error err = ERROR_INIT;
    int code;

    rng_seed_from_system(&work->rng);
    program_stop_open(&work->stop);
    stop.fd = work->stop.fd;
    work->rescue = (struct rescue){.settings = &work->settings,
                                   .rng = &work->rng,
                                   .stop_requested = on_stop_requested,
                                   .report = on_report,
                                   .context = work};
    if (command_become_owner(&work->settings, NULL, &err) &&
        network_open(&work->settings, work->settings.s3_rate_limit, &stop, &loop, &s3, &err)) {
        work->rescue.loop = loop;
        work->rescue.s3 = s3;
        code = work->line->count ? complete(work) : list(work);
    } else {
        code = fail(work, &err);
    }
    s3_close(s3);
    loop_close(loop);
    program_stop_close(&work->stop);
    return code;
}

int command_rescue(const struct command_line *line)
{
    const char *path = line->config ? line->config : settings_default_file();
    struct work work = {.line = line};
    struct settings_problems problems;
    int code = EXPLAIN_EXIT_SETTINGS;

    if (line->count > 1)
        return command_line_misused(line, "more than one key is named");
    if (line->count && (!line->names[0][0] || strlen(line->names[0]) > S3_MAX_KEY_BYTES))
        return command_line_misused(line, "a key has 1 to %d bytes", S3_MAX_KEY_BYTES);
    if (!line->count && command_line_value(line, "force"))
        return command_line_misused(line, "--force is for a key");
    text_column_begin();
    if (settings_load((const char *const *)environ, path, &work.settings, &problems)) {
        log_open(work.settings.log_level, work.settings.log_format);
        program_say_warnings(&problems);
        code = run(&work);
    } else {
        program_say_problems(&problems);
    }
    free(work.uploads);
    settings_done(&work.settings);
    settings_problems_done(&problems);
    return code;
}
