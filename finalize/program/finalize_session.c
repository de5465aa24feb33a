#include "finalize/program/finalize_session.h"

#include "config/units.h"
#include "finalize/base/clock.h"
#include "finalize/lifecycle/finalizer.h"
#include "finalize/program/explain.h"
#include "finalize/program/log.h"
#include "finalize/program/program.h"
#include "finalize/program/progress.h"
#include "finalize/session/session_dir.h"

#include <stdio.h>
#include <string.h>

#define FAILURE_WAITS_MS 2000u /* before it is logged: the run's last line may say the same */

struct session {
    struct program_stop stop;
    struct progress progress;
    uint64_t started_ms;
    struct error failed; /* a file's error that was not said yet: the last line may say it */
    char failed_path[SESSION_PATH_SIZE];
    char failed_id[SESSION_NAME_SIZE]; /* of the session: a run frees other recordings, too */
    uint64_t failed_ms;
};

/* ---- what Jibri's log and people see --------------------------------------------------------- */

static const char *number(uint64_t value, char *out, size_t size)
{
    snprintf(out, size, "%llu", (unsigned long long)value);
    return out;
}

static void log_begin(const char *session_id, const struct run_message *message)
{
    char bytes[32], files[32], tries[32];
    const struct log_field fields[] = {{"session", session_id},
                                       {"files", number(message->files, files, sizeof files)},
                                       {"try", number(message->tries, tries, sizeof tries)},
                                       {0}};

    units_format_size(message->bytes, bytes, sizeof bytes);
    log_line(SETTINGS_LOG_INFO, fields, "finalizing: %s to upload", bytes);
}

static void log_file(const char *session_id, const struct journal_file *file, const char *sentence)
{
    char size[32], row[32];
    const struct log_field fields[] = {
        {"session", session_id},
        {"file", file->path},
        {"key", file->key},
        {"bytes", number(file->object_bytes, size, sizeof size)},
        {"backend_row", file->notice == JOURNAL_NOTICE_ACCEPTED && file->backend_row
                            ? number((uint64_t)file->backend_row, row, sizeof row)
                            : NULL},
        {0}};

    log_line(SETTINGS_LOG_INFO, fields, "%s", sentence);
}

static void say_failed(struct session *session)
{
    const struct log_field fields[] = {
        {"session", session->failed_id},
        {"file", session->failed_path[0] ? session->failed_path : NULL},
        {0}};

    if (session->failed.kind != ERROR_NONE)
        log_line(SETTINGS_LOG_ERROR, fields, "%s", session->failed.text);
    error_clear(&session->failed);
}

static void on_message(void *context, const char *session_id, const struct run_message *message)
{
    struct session *session = context;
    const struct log_field fields[] = {
        {"session", session_id},
        {"file", message->path && message->path[0] ? message->path : NULL},
        {0}};

    say_failed(session);
    switch (message->kind) {
    case RUN_BEGINS:
        log_begin(session_id, message);
        break;
    case RUN_WAITS:
        log_line(SETTINGS_LOG_INFO, fields, "waiting: another process works on this recording");
        break;
    case RUN_HANDS_OVER:
        log_line(SETTINGS_LOG_INFO, fields, "handed over: the watcher goes on with this recording");
        break;
    case RUN_REMARK:
        log_line(SETTINGS_LOG_WARNING, fields, "%s%s%s", message->path ? message->path : "",
                 message->path && message->path[0] ? ": " : "", message->text);
        break;
    case RUN_RETRY:
        log_line(SETTINGS_LOG_WARNING, fields, "trying again: %s", message->error->text);
        break;
    case RUN_UPLOADED:
        log_file(session_id, message->file,
                 message->file->media && message->file->incomplete
                     ? "uploaded, and confirmed in the bucket; incomplete, it does not play"
                     : "uploaded, and confirmed in the bucket");
        break;
    case RUN_NOTIFIED:
        log_file(session_id, message->file, "the backend accepted the notice");
        break;
    case RUN_FAILED:
        session->failed = *message->error;
        session->failed_ms = clock_now_ms();
        snprintf(session->failed_id, sizeof session->failed_id, "%s", session_id);
        snprintf(session->failed_path, sizeof session->failed_path, "%s",
                 message->path ? message->path : "");
        break;
    case RUN_REMOVED:
        log_line(SETTINGS_LOG_DEBUG, fields, "removed the local copy");
        break;
    }
}

static void on_progress(void *context, const char *session_id, const struct run_progress *progress)
{
    struct session *session = context;

    if (clock_now_ms() - session->failed_ms >= FAILURE_WAITS_MS)
        say_failed(session);
    progress_update(&session->progress, progress->done_bytes, progress->total_bytes, clock_now_ms(),
                    session_id);
}

static void say_failure(const char *directory, const struct log_field *fields, bool watched,
                        const struct error *err)
{
    bool has_command = explain_has_command(err);

    if (watched && (err->kind == ERROR_TRANSIENT || err->kind == ERROR_STOPPED))
        log_line(SETTINGS_LOG_WARNING, fields,
                 "not finished yet: %s; what to do: nothing, the watcher goes on with it",
                 err->text);
    else
        log_line(SETTINGS_LOG_ERROR, fields, "not finished: %s; what to do: %s%s%s", err->text,
                 explain_advice(err), has_command ? " " : "", has_command ? directory : "");
}

/* "safe: 1 recording, 42 min 7 s, 512 MiB, in 3.1 s (512 MiB sent, 165 MiB/s)" */
static void say_safe(const struct log_field *fields, const struct run_summary *summary,
                     uint64_t took_ms)
{
    const struct safety *safety = &summary->safety;
    char what[32], plays[32] = "", bytes[32], took[32], sent[32], rate[32], left[32];
    unsigned kept = summary->directory_gone ? 0 : safety->kept + safety->withheld;

    units_format_count(safety->media ? safety->media_safe : safety->safe,
                       safety->media ? "recording" : "file", what, sizeof what);
    if (safety->safe_ms && !safety->timeless)
        units_format_duration(safety->safe_ms, plays, sizeof plays);
    units_format_count(kept, "local file", left, sizeof left);
    log_line(SETTINGS_LOG_INFO, fields, "safe: %s, %s%s%s, in %s (%s sent, %s/s)%s%s", what, plays,
             plays[0] ? ", " : "", units_format_size(safety->safe_bytes, bytes, sizeof bytes),
             units_format_duration(took_ms, took, sizeof took),
             units_format_size(summary->bytes_sent, sent, sizeof sent),
             units_format_size(summary->bytes_sent * 1000 / (took_ms + 1), rate, sizeof rate),
             kept                         ? "; keeping "
             : summary->directory_removed ? "; the disk is freed"
                                          : "",
             kept ? left : "");
}

static void say_result(struct session *session, const char *directory, bool ok,
                       const struct run_summary *summary, const struct error *err)
{
    char sent[32];
    bool same = !ok && !strcmp(session->failed.text, err->text);
    const struct log_field fields[] = {
        {"directory", directory},
        {"file", same && session->failed_path[0] ? session->failed_path : NULL},
        {"sent", number(summary->bytes_sent, sent, sizeof sent)},
        {0}};

    if (!same)
        say_failed(session);
    if (!ok)
        say_failure(directory, fields, summary->watched, err);
    else if (summary->was_done)
        log_line(SETTINGS_LOG_INFO, fields, "safe: an earlier run has finished this recording");
    else if (!summary->handed_over) /* on_message() has logged a hand-over */
        say_safe(fields, summary, clock_now_ms() - session->started_ms);
}

/* ---- the run --------------------------------------------------------------------------------- */

static bool on_stop_requested(void *context)
{
    struct session *session = context;

    return program_stop_requested(&session->stop);
}

int finalize_session(const struct settings *settings, const char *directory,
                     enum finalize_session_caller caller,
                     const struct finalize_session_options *options, bool *ret_stopped)
{
    struct session session = {.started_ms = clock_now_ms()};
    bool by_jibri = caller == FINALIZE_SESSION_JIBRI;
    struct run_options run_options = {.settings = settings,
                                      .wait_ms = by_jibri ? settings->finalize_wait_ms : UINT64_MAX,
                                      .may_hand_over = by_jibri,
                                      .gives_way = caller == FINALIZE_SESSION_WATCHER,
                                      .retries_abandoned = options->retries_abandoned,
                                      .notify_only = options->notify_only,
                                      .meeting_id = options->meeting_id,
                                      .stop_requested = on_stop_requested,
                                      .message = on_message,
                                      .progress = on_progress,
                                      .context = &session};
    struct run_summary summary;
    struct error err = ERROR_INIT;
    bool ok;

    program_stop_open(&session.stop);
    run_options.stop_fd = session.stop.fd;
    ok = finalizer_run(&run_options, directory, &summary, &err);
    progress_end(&session.progress);
    say_result(&session, directory, ok, &summary, &err);
    *ret_stopped = program_stop_requested(&session.stop);
    program_stop_close(&session.stop);
    return (int)explain_exit_code(&err);
}
