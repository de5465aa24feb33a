#include "watcher/watcher.h"

#include "finalize/base/clock.h"
#include "finalize/journal/journal_place.h"
#include "finalize/lifecycle/lock_file.h"
#include "finalize/program/explain.h"
#include "finalize/program/log.h"
#include "finalize/program/owner.h"
#include "finalize/program/program.h"
#include "finalize/session/recordings_dir.h"
#include "watcher/dispatch.h"
#include "watcher/http/status_server.h"
#include "watcher/space.h"
#include "watcher/watch.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define LOOK_EVERYWHERE_MS UINT64_C(60000) /* whatever inotify may have missed */
#define LOOK_AT_SPACE_MS   UINT64_C(30000)
#define LOCK_AGAIN_MS      5000
#define STOP_PATIENCE_MS   4700u /* five seconds are promised; a worker takes four at most */

struct watcher {
    const char *config; /* the file of settings, or NULL */
    struct settings settings;
    char recordings_dir[PATH_MAX];
    int signal_fd;
    bool stopping, reloading;

    int lock_fd;
    struct watch *watch; /* NULL: inotify can't be had */
    struct dispatch dispatch;
    struct space space;
    char journal[JOURNAL_PLACE_SIZE]; /* its path, as the server has it */
    struct status_server *server;     /* NULL: there is none */
    uint64_t looked_everywhere_ms;
    uint64_t looked_at_space_ms;
};

/* ---- signals --------------------------------------------------------------------------------- */

static bool open_signals(struct watcher *watcher)
{
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    sigaddset(&signals, SIGCHLD);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    signal(SIGIO, SIG_IGN); /* of leases: open_writer.h */
    watcher->signal_fd = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
    return watcher->signal_fd >= 0;
}

static void take_signals(struct watcher *watcher)
{
    struct signalfd_siginfo info;

    while (read(watcher->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
            watcher->stopping = true;
        else if (info.ssi_signo == SIGHUP)
            watcher->reloading = true;
    }
}

/* Waits for a signal, for changes of the watched directories, or for `timeout_ms` (-1: for ever).
 */
static void wait_for_something(struct watcher *watcher, int timeout_ms)
{
    struct pollfd descriptors[] = {
        {.fd = watcher->signal_fd, .events = POLLIN},
        {.fd = watcher->watch ? watch_fd(watcher->watch) : -1, .events = POLLIN}};

    (void)poll(descriptors, sizeof descriptors / sizeof descriptors[0], timeout_ms);
    take_signals(watcher);
}

/* ---- settings -------------------------------------------------------------------------------- */

static const char *settings_file(const struct watcher *watcher)
{
    return watcher->config ? watcher->config : settings_default_file();
}

static bool load(const struct watcher *watcher, struct settings *ret_settings)
{
    struct settings_problems problems;
    bool ok = settings_load((const char *const *)environ, settings_file(watcher), ret_settings,
                            &problems);

    if (ok) {
        log_open(ret_settings->log_level, ret_settings->log_format);
        program_say_warnings(&problems);
    } else {
        for (char **line = problems.errors; line && *line; line++)
            log_line(SETTINGS_LOG_ERROR, NULL, "%s", *line);
        log_line(SETTINGS_LOG_ERROR, NULL,
                 "the settings cannot be used: nothing is uploaded, recordings stay on disk; what "
                 "to do: correct them, then restart the watcher, or send it SIGHUP when they are "
                 "in a file");
        settings_done(ret_settings);
    }
    settings_problems_done(&problems);
    return ok;
}

/* Waits for a person: an exit would make the supervisor start us again and again. False: to be
 * stopped. */
static bool load_patiently(struct watcher *watcher)
{
    while (!watcher->stopping) {
        watcher->reloading = false;
        if (load(watcher, &watcher->settings))
            return true;
        while (!watcher->stopping && !watcher->reloading)
            wait_for_something(watcher, -1);
    }
    return false;
}

/* Best effort: the watcher works without it. */
static void open_server(struct watcher *watcher)
{
    struct error failure = ERROR_INIT;

    watcher->server = NULL;
    if (journal_place(&watcher->settings, watcher->recordings_dir, watcher->journal) &&
        !status_server_open(&watcher->settings, watcher->journal, watcher->recordings_dir,
                            &watcher->server, &failure))
        log_line(SETTINGS_LOG_ERROR, NULL, "%s; recordings are uploaded without a status page",
                 failure.text);
}

static void tell_server(struct watcher *watcher)
{
    struct status_loop_report report = {.suspended = watcher->dispatch.suspended};

    report.disk_fills = space_full_in(&watcher->space.trend, &report.disk_full_in_seconds);
    status_server_report(watcher->server, &report);
}

static void reload(struct watcher *watcher)
{
    struct settings settings;

    watcher->reloading = false;
    watcher->dispatch.suspended = !load(watcher, &settings);
    tell_server(watcher);
    if (watcher->dispatch.suspended)
        return;
    status_server_close(watcher->server); /* it reads the settings */
    settings_done(&watcher->settings);
    watcher->settings = settings;
    open_server(watcher);
    log_line(SETTINGS_LOG_INFO, NULL, "read the settings again");
    dispatch_hurry(&watcher->dispatch, true);
}

/* ---- the beginning --------------------------------------------------------------------------- */

/* Its links are resolved, as in the journal. One that isn't there yet is waited for later on. */
static bool find_recordings_dir(struct watcher *watcher)
{
    const char *directory = recordings_dir_of(&watcher->settings);

    if (!directory) {
        log_line(SETTINGS_LOG_ERROR, NULL,
                 "no recordings directory is known; what to do: set CONFOMEET_RECORDINGS_DIR to "
                 "the directory that Jibri records to");
        return false;
    }
    if (realpath(directory, watcher->recordings_dir))
        return true;
    if ((size_t)snprintf(watcher->recordings_dir, sizeof watcher->recordings_dir, "%s",
                         directory) >= sizeof watcher->recordings_dir)
        return false;
    log_line(SETTINGS_LOG_WARNING, NULL, "waiting for the recordings directory %s: %s", directory,
             strerror(errno));
    while (!watcher->stopping && !realpath(directory, watcher->recordings_dir))
        wait_for_something(watcher, LOCK_AGAIN_MS);
    return !watcher->stopping;
}

/* Root would leave a journal that Jibri's user can't write. What is in the file of settings was
 * read before, but workers read it again. */
static bool become_owner(const struct watcher *watcher)
{
    const char *file = settings_file(watcher);
    struct error failure = ERROR_INIT;

    if (!owner_become(watcher->recordings_dir, &failure)) {
        log_line(SETTINGS_LOG_ERROR, NULL, "%s; what to do: %s", failure.text,
                 explain_advice(&failure));
        return false;
    }
    if (!file || !access(file, R_OK))
        return true;
    log_line(
        SETTINGS_LOG_ERROR, NULL,
        "the owner of %s, as whom the watcher works, cannot read %s: %s; what to do: let that user "
        "read it",
        watcher->recordings_dir, file, strerror(errno));
    return false;
}

/* One watcher works for a recordings directory. False: to be stopped. */
static bool take_lock(struct watcher *watcher)
{
    char last_trouble[sizeof((struct error *)0)->text] = "";

    while (!watcher->stopping) {
        struct error failure = ERROR_INIT;

        if (!lock_file_take(&watcher->settings, watcher->recordings_dir, LOCK_FILE_WATCHER,
                            &watcher->lock_fd, &failure))
            ;
        else if (watcher->lock_fd >= 0)
            return true;
        else
            error_set(&failure, ERROR_PERMANENT, "another watcher works for %s",
                      watcher->recordings_dir);
        if (strcmp(last_trouble, failure.text) != 0)
            log_line(SETTINGS_LOG_ERROR, NULL, "%s; waiting", failure.text);
        snprintf(last_trouble, sizeof last_trouble, "%s", failure.text);
        wait_for_something(watcher, LOCK_AGAIN_MS);
    }
    return false;
}

/* When the directory was made again, or another file system was mounted: the lock is taken there.
 */
static void keep_lock(struct watcher *watcher)
{
    const struct settings *settings = &watcher->settings;
    struct error ignored = ERROR_INIT; /* tried again soon */
    int fd = -1;

    if (lock_file_is_at(settings, watcher->recordings_dir, LOCK_FILE_WATCHER, watcher->lock_fd) ||
        !lock_file_take(settings, watcher->recordings_dir, LOCK_FILE_WATCHER, &fd, &ignored) ||
        fd < 0)
        return;
    close(watcher->lock_fd);
    watcher->lock_fd = fd;
}

static void begin_to_watch(struct watcher *watcher)
{
    char journal_dir[JOURNAL_PLACE_SIZE];
    struct error failure = ERROR_INIT;
    char *slash;

    if (!journal_place(&watcher->settings, watcher->recordings_dir, journal_dir))
        return;
    slash = strrchr(journal_dir, '/');
    if (slash)
        *slash = 0;
    if (watch_open(watcher->recordings_dir, journal_dir, &watcher->watch, &failure))
        return;
    watcher->watch = NULL;
    log_line(SETTINGS_LOG_WARNING, NULL, "%s: looking every minute instead", failure.text);
}

static bool begin(struct watcher *watcher)
{
    const struct log_field fields[] = {{"directory", watcher->recordings_dir}, {0}};

    if (!find_recordings_dir(watcher) || !become_owner(watcher) || !take_lock(watcher))
        return false;
    begin_to_watch(watcher);
    open_server(watcher);
    watcher->dispatch = (struct dispatch){.settings = &watcher->settings,
                                          .config = watcher->config,
                                          .recordings_dir = watcher->recordings_dir};
    dispatch_begin(&watcher->dispatch, time(NULL), clock_now_ms());
    log_line(SETTINGS_LOG_INFO, fields, "watching%s",
             watcher->settings.live_upload ? "; parts are sent while Jibri records" : "");
    return true;
}

/* ---- the loop -------------------------------------------------------------------------------- */

static void take_changes(struct watcher *watcher)
{
    char directory[SESSION_PATH_SIZE];

    if (!watcher->watch)
        return;
    while (watch_next_session(watcher->watch, directory))
        dispatch_note_session(&watcher->dispatch, directory);
    if (watch_take_journal(watcher->watch))
        watcher->dispatch.rows_changed = true;
    if (watch_take_all(watcher->watch)) {
        keep_lock(watcher);
        dispatch_note_all(&watcher->dispatch);
    }
}

static void look_around(struct watcher *watcher)
{
    uint64_t now_ms = clock_now_ms();

    if (now_ms - watcher->looked_everywhere_ms >= LOOK_EVERYWHERE_MS) {
        watcher->looked_everywhere_ms = now_ms;
        keep_lock(watcher);
        dispatch_note_all(&watcher->dispatch);
    }
    if (now_ms - watcher->looked_at_space_ms >= LOOK_AT_SPACE_MS) {
        watcher->looked_at_space_ms = now_ms;
        space_look(&watcher->space, watcher->recordings_dir, watcher->settings.disk_warning_ms,
                   now_ms);
        tell_server(watcher);
    }
}

static void run_until_stopped(struct watcher *watcher)
{
    while (!watcher->stopping) {
        int64_t now = time(NULL);
        int64_t next, pause_ms;

        take_changes(watcher);
        look_around(watcher);
        next = dispatch_run(&watcher->dispatch, now, clock_now_ms());
        pause_ms = next ? (next - now) * 1000 : (int64_t)LOOK_AT_SPACE_MS;
        if (pause_ms < 0)
            pause_ms = 0;
        if (pause_ms > (int64_t)LOOK_AT_SPACE_MS)
            pause_ms = (int64_t)LOOK_AT_SPACE_MS;
        wait_for_something(watcher, (int)pause_ms);
        if (watcher->reloading)
            reload(watcher);
    }
}

int watcher_run(const char *config)
{
    struct watcher watcher = {.config = config, .lock_fd = -1};

    if (!open_signals(&watcher)) {
        log_line(SETTINGS_LOG_ERROR, NULL,
                 "cannot wait for signals: %s; what to do: start it again", strerror(errno));
        return EXPLAIN_EXIT_LATER;
    }
    if (!load_patiently(&watcher))
        goto out;
    if (begin(&watcher))
        run_until_stopped(&watcher);
    status_server_close(watcher.server);
    dispatch_end(&watcher.dispatch, STOP_PATIENCE_MS);
    settings_done(&watcher.settings);
out:
    if (watcher.lock_fd >= 0)
        close(watcher.lock_fd);
    close(watcher.signal_fd);
    if (!watcher.stopping)
        return EXPLAIN_EXIT_SETTINGS;
    log_line(SETTINGS_LOG_INFO, NULL, "stopped");
    return EXPLAIN_EXIT_OK;
}
