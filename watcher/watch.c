#include "watcher/watch.h"

#include <errno.h>
#include <inotifytools/inotifytools.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define SESSION_EVENTS                                                                       \
    (IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CLOSE_WRITE | IN_DELETE_SELF | \
     IN_MOVE_SELF)
#define JOURNAL_EVENTS (IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_MODIFY)
#define CHECK_EVERY_S  10 /* whether the directory is still the one that is watched */
#define TRY_EVERY_MS   2000

struct watch {
    char recordings_dir[PATH_MAX];
    char journal_dir[PATH_MAX];
    dev_t device; /* of the recordings directory that is watched */
    ino_t inode;
    bool watching;
    int told_fd, tell_fd; /* a queue of session directories; "" only wakes */
    atomic_bool all, journal;
};

/* ---- what is told ---------------------------------------------------------------------------- */

static void wake(struct watch *watch)
{
    (void)send(watch->tell_fd, "", 1, MSG_DONTWAIT); /* what fills the queue wakes as well */
}

/* While an event is not taken yet, no second one wakes. */
static void tell_flag(struct watch *watch, atomic_bool *flag)
{
    if (!atomic_exchange(flag, true))
        wake(watch);
}

static bool is_below(const char *path, const char *directory)
{
    size_t length = strlen(directory);

    return !strncmp(path, directory, length) && (path[length] == '/' || !path[length]);
}

/* `path` is below the recordings directory, at whatever depth: its session is what counts. */
static void tell_session(struct watch *watch, char *path)
{
    size_t above = strlen(watch->recordings_dir);

    if (!is_below(path, watch->recordings_dir) || strlen(path) < above + 2)
        return;
    above += 1 + strcspn(path + above + 1, "/");
    path[above] = 0;
    if (send(watch->tell_fd, path, above + 1, MSG_DONTWAIT) < 0) /* no room: look at all */
        tell_flag(watch, &watch->all);
}

/* ---- the thread ------------------------------------------------------------------------------ */

static bool begin(struct watch *watch)
{
    char excluded[PATH_MAX + 1];
    const char *exclude[] = {excluded, NULL};
    struct stat status;

    if (stat(watch->recordings_dir, &status) || !S_ISDIR(status.st_mode))
        return false;
    snprintf(excluded, sizeof excluded, "%s/", watch->journal_dir);
    if (!inotifytools_watch_recursively_with_exclude(watch->recordings_dir, SESSION_EVENTS,
                                                     exclude))
        return false;
    (void)inotifytools_watch_file(watch->journal_dir, JOURNAL_EVENTS);
    watch->device = status.st_dev;
    watch->inode = status.st_ino;
    return true;
}

static bool is_still_there(const struct watch *watch)
{
    struct stat status;

    return !stat(watch->recordings_dir, &status) && status.st_dev == watch->device &&
           status.st_ino == watch->inode;
}

static void take_event(struct watch *watch, const struct inotify_event *event)
{
    const char *directory = inotifytools_filename_from_wd(event->wd);
    char path[PATH_MAX + NAME_MAX + 2];

    if (event->mask & IN_Q_OVERFLOW) {
        watch->watching = false; /* directories may have come that are not watched */
        return;
    }
    if (!directory)
        return;
    /* The name of a watched directory ends in a slash. */
    snprintf(path, sizeof path, "%s%s", directory, event->len ? event->name : "");
    if (is_below(path, watch->journal_dir)) {
        if ((event->mask & IN_ISDIR) && !strcmp(path, watch->journal_dir)) /* made again */
            (void)inotifytools_watch_file(path, JOURNAL_EVENTS);
        tell_flag(watch, &watch->journal);
        return;
    }
    if ((event->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT)) && !is_still_there(watch))
        watch->watching = false;
    if ((event->mask & (IN_CREATE | IN_MOVED_TO)) && (event->mask & IN_ISDIR))
        (void)inotifytools_watch_recursively(path, SESSION_EVENTS);
    tell_session(watch, path);
}

static void *run(void *context)
{
    struct watch *watch = context;

    for (;;) {
        const struct inotify_event *event;

        if (!watch->watching) {
            watch->watching = begin(watch);
            tell_flag(watch, &watch->all);
            if (!watch->watching) {
                (void)poll(NULL, 0, TRY_EVERY_MS);
                continue;
            }
        }
        event = inotifytools_next_event(CHECK_EVERY_S);
        if (event)
            take_event(watch, event);
        else if (!is_still_there(watch))
            watch->watching = false;
    }
    return NULL;
}

/* ---- for the others -------------------------------------------------------------------------- */

bool watch_open(const char *recordings_dir, const char *journal_dir, struct watch **ret_watch,
                struct error *err)
{
    struct watch *watch = calloc(1, sizeof *watch);
    int fds[2] = {-1, -1};
    pthread_t thread;

    if (!watch)
        return error_set(err, ERROR_TRANSIENT, "no memory to watch %s", recordings_dir);
    snprintf(watch->recordings_dir, sizeof watch->recordings_dir, "%s", recordings_dir);
    snprintf(watch->journal_dir, sizeof watch->journal_dir, "%s", journal_dir);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) || !inotifytools_initialize())
        goto fail;
    watch->told_fd = fds[0];
    watch->tell_fd = fds[1];
    errno = pthread_create(&thread, NULL, run, watch);
    if (errno)
        goto fail;
    pthread_detach(thread);
    *ret_watch = watch;
    return true;
fail:
    error_set_errno(err, ERROR_TRANSIENT, errno, "cannot watch %s", recordings_dir);
    for (unsigned i = 0; i < 2; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    free(watch);
    return false;
}

int watch_fd(const struct watch *watch)
{
    return watch->told_fd;
}

bool watch_next_session(struct watch *watch, char ret_directory[SESSION_PATH_SIZE])
{
    ssize_t length;

    do
        length = recv(watch->told_fd, ret_directory, SESSION_PATH_SIZE, MSG_DONTWAIT);
    while (length == 1); /* which woke */
    return length > 0 && !ret_directory[length - 1];
}

bool watch_take_all(struct watch *watch)
{
    return atomic_exchange(&watch->all, false);
}

bool watch_take_journal(struct watch *watch)
{
    return atomic_exchange(&watch->journal, false);
}
