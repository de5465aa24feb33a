#include "watcher/work.h"

#include "config/units.h"
#include "finalize/delivery/probe.h"
#include "finalize/lifecycle/housekeeping.h"
#include "finalize/lifecycle/live.h"
#include "finalize/notify/webhook.h"
#include "finalize/program/explain.h"
#include "finalize/program/finalize_session.h"
#include "finalize/program/log.h"
#include "finalize/program/program.h"
#include "finalize/session/file_name.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOW_PRIORITY       10
#define EVENTS_PATIENCE_MS 60000u

/* ioprio_set(2); Debian 11 has no <linux/ioprio.h>. */
#define WHO_PROCESS       1
#define CLASS_SHIFT       13
#define CLASS_BEST_EFFORT 2
#define LOWEST_LEVEL      7

struct work {
    const struct settings *settings;
    const char *subject;
    struct program_stop stop;
};

static int say_outcome(const char *session, const struct error *err)
{
    const struct log_field fields[] = {{"session", session}, {0}};

    if (err->kind != ERROR_NONE && err->kind != ERROR_STOPPED)
        log_line(SETTINGS_LOG_WARNING, fields, "%s", err->text);
    return (int)explain_exit_code(err);
}

/* ---- parts of what is still recorded --------------------------------------------------------- */

/* Next to a recording: Jibri, Chrome and ffmpeg go first. */
static void lower_priority(void)
{
    (void)setpriority(PRIO_PROCESS, 0, LOW_PRIORITY);
    (void)syscall(SYS_ioprio_set, WHO_PROCESS, 0, CLASS_BEST_EFFORT << CLASS_SHIFT | LOWEST_LEVEL);
}

static void on_live_message(void *context, const char *session_id,
                            const struct run_message *message)
{
    const struct log_field fields[] = {{"session", session_id}, {"file", message->path}, {0}};

    (void)context;
    if (message->kind == RUN_REMARK || message->kind == RUN_RETRY)
        log_line(SETTINGS_LOG_WARNING, fields, "while it is recorded: %s",
                 message->kind == RUN_RETRY ? message->error->text : message->text);
}

static int send_parts(struct work *work)
{
    struct run_options options = {.settings = work->settings,
                                  .stop_fd = work->stop.fd,
                                  .stop_requested = program_stop_requested,
                                  .message = on_live_message,
                                  .context = &work->stop};
    struct run_summary summary;
    struct error err = ERROR_INIT;
    const char *session = file_name_of(work->subject);
    const struct log_field fields[] = {{"session", session}, {0}};
    char sent[32], held[32];

    lower_priority();
    if (live_run(&options, work->subject, &summary, &err) && summary.bytes_sent) {
        units_format_size(summary.bytes_sent, sent, sizeof sent);
        units_format_size(summary.bytes_held, held, sizeof held);
        log_line(SETTINGS_LOG_DEBUG, fields, "sent %s while it is recorded, %s so far", sent, held);
    }
    return say_outcome(session, &err);
}

/* ---- the rest -------------------------------------------------------------------------------- */

static void on_housekeeping_remark(void *context, bool fine, const char *session_id,
                                   const char *sentence)
{
    const struct log_field fields[] = {{"session", session_id[0] ? session_id : NULL}, {0}};

    (void)context;
    log_line(fine ? SETTINGS_LOG_INFO : SETTINGS_LOG_WARNING, fields, "%s", sentence);
}

static int keep_house(struct work *work)
{
    struct housekeeping options = {.settings = work->settings,
                                   .recordings_dir = work->subject,
                                   .stop_fd = work->stop.fd,
                                   .stop_requested = program_stop_requested,
                                   .remark = on_housekeeping_remark,
                                   .context = &work->stop};
    struct error err = ERROR_INIT;

    return housekeeping_run(&options, &err) ? EXPLAIN_EXIT_OK : say_outcome(NULL, &err);
}

static void on_finding(const struct probe_finding *finding)
{
    if (!finding->fine)
        log_line(SETTINGS_LOG_DEBUG, NULL, "probing: %s: %s", finding->subject, finding->text);
}

static int probe(struct work *work)
{
    return probe_servers(work->settings, PROBE_ANSWERS, on_finding) ? EXPLAIN_EXIT_OK
                                                                    : EXPLAIN_EXIT_LATER;
}

static int deliver_events(struct work *work)
{
    const struct webhook_delivery options = {.settings = work->settings,
                                             .patience_ms = EVENTS_PATIENCE_MS,
                                             .stop_requested = program_stop_requested,
                                             .context = &work->stop};
    struct error err = ERROR_INIT;

    return webhook_run(&options, work->subject, work->stop.fd, &err) ? EXPLAIN_EXIT_OK
                                                                     : say_outcome(NULL, &err);
}

/* ---- choosing -------------------------------------------------------------------------------- */

enum worker_kind work_find(const char *name)
{
    unsigned kind = 0;

    while (kind < WORKER_KINDS && strcmp(worker_names[kind], name) != 0)
        kind++;
    return (enum worker_kind)kind;
}

int work_run(const struct settings *settings, enum worker_kind kind, const char *subject)
{
    static int (*const functions[WORKER_KINDS])(struct work *
                                                work) = {[WORKER_SEND_PARTS] = send_parts,
                                                         [WORKER_HOUSEKEEPING] = keep_house,
                                                         [WORKER_EVENTS] = deliver_events};
    const struct finalize_session_options usual = {0};
    struct work work = {.settings = settings, .subject = subject};
    bool stopped;
    int code;

    /* When the watcher dies, its work stops in order; the next watcher goes on. */
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (kind == WORKER_FINALIZE)
        return finalize_session(settings, subject, FINALIZE_SESSION_WATCHER, &usual, &stopped);
    if (kind == WORKER_PROBE) /* leaves nothing to end in order: SIGTERM ends it at once */
        return probe(&work);
    program_stop_open(&work.stop);
    code = functions[kind](&work);
    program_stop_close(&work.stop);
    return code;
}
