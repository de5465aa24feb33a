#include "watcher/watch.h"

#include <errno.h>
#include <inotifytools/inotifytools.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define SESSION_EVENTS                                                                       \
    (IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CLOSE_WRITE | IN_DELETE_SELF | \
     IN_MOVE_SELF)
#define JOURNAL_EVENTS (IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_MODIFY)
#define CHECK_EVERY_S  10 /* whether the directory is still the one that is watched */
#define TRY_EVERY_MS   2000
#define MOST_NAMES     1024u /* more is "anything may have happened" */

struct name {
    struct name *next;
    char *directory;
};

struct watch {
    char recordings_dir[PATH_MAX];
    char journal_dir[PATH_MAX];
    dev_t device; /* of the recordings directory that is watched */
    ino_t inode;
    bool watching;

    pthread_mutex_t mutex; /* of what follows */
    int wake_fd;
    struct watch_changes changes;
    struct name *names;
    unsigned name_count;
};

/* ---- what is told ---------------------------------------------------------------------------- */

static void wake(struct watch *watch)
{
    const uint64_t one = 1;

    (void)!write(watch->wake_fd, &one, sizeof one); /* full: it is readable already */
}

static void tell_all(struct watch *watch)
{
    pthread_mutex_lock(&watch->mutex);
    watch->changes.all = true;
    pthread_mutex_unlock(&watch->mutex);
    wake(watch);
}

static void tell_journal(struct watch *watch)
{
    bool changes;

    pthread_mutex_lock(&watch->mutex);
    changes = !watch->changes.journal;
    watch->changes.journal = true;
    pthread_mutex_unlock(&watch->mutex);
    if (changes)
        wake(watch);
}

static bool add_name(struct watch *watch, const char *path, size_t length)
{
    struct name *name = malloc(sizeof *name);
    char *directory = strndup(path, length);

    if (!name || !directory) {
        free(name);
        free(directory);
        return false;
    }
    *name = (struct name){.next = watch->names, .directory = directory};
    watch->names = name;
    watch->name_count++;
    return true;
}

/* `path` is somewhere below the recordings directory: its session is what counts. */
static void tell_session(struct watch *watch, const char *path)
{
    size_t above = strlen(watch->recordings_dir);
    size_t length;

    if (strncmp(path, watch->recordings_dir, above) != 0 || path[above] != '/' || !path[above + 1])
        return;
    length = above + 1 + strcspn(path + above + 1, "/");
    pthread_mutex_lock(&watch->mutex);
    watch->changes.sessions = true;
    if ((!watch->names || strncmp(watch->names->directory, path, length) != 0 ||
         watch->names->directory[length]) &&
        (watch->name_count >= MOST_NAMES || !add_name(watch, path, length)))
        watch->changes.all = true;
    pthread_mutex_unlock(&watch->mutex);
    wake(watch);
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

static bool is_below(const char *path, const char *directory)
{
    size_t length = strlen(directory);

    return !strncmp(path, directory, length) && (path[length] == '/' || !path[length]);
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
        tell_journal(watch);
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
            tell_all(watch);
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
    pthread_t thread;

    if (!watch)
        return error_set(err, ERROR_TRANSIENT, "no memory to watch %s", recordings_dir);
    snprintf(watch->recordings_dir, sizeof watch->recordings_dir, "%s", recordings_dir);
    snprintf(watch->journal_dir, sizeof watch->journal_dir, "%s", journal_dir);
    pthread_mutex_init(&watch->mutex, NULL);
    watch->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (watch->wake_fd < 0 || !inotifytools_initialize()) {
        error_set_errno(err, ERROR_TRANSIENT, errno, "cannot watch %s", recordings_dir);
        goto fail;
    }
    errno = pthread_create(&thread, NULL, run, watch);
    if (errno) {
        error_set_errno(err, ERROR_TRANSIENT, errno, "cannot watch %s", recordings_dir);
        goto fail;
    }
    pthread_detach(thread);
    *ret_watch = watch;
    return true;
fail:
    if (watch->wake_fd >= 0)
        close(watch->wake_fd);
    pthread_mutex_destroy(&watch->mutex);
    free(watch);
    return false;
}

int watch_fd(const struct watch *watch)
{
    return watch->wake_fd;
}

struct watch_changes watch_take(struct watch *watch)
{
    struct watch_changes changes;
    uint64_t count;

    (void)!read(watch->wake_fd, &count, sizeof count);
    pthread_mutex_lock(&watch->mutex);
    changes = watch->changes;
    watch->changes = (struct watch_changes){0};
    pthread_mutex_unlock(&watch->mutex);
    return changes;
}

char *watch_next_session(struct watch *watch)
{
    char *directory = NULL;
    struct name *name;

    pthread_mutex_lock(&watch->mutex);
    name = watch->names;
    if (name) {
        directory = name->directory;
        watch->names = name->next;
        watch->name_count--;
        free(name);
    }
    pthread_mutex_unlock(&watch->mutex);
    return directory;
}
