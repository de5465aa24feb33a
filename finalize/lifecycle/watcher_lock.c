#include "finalize/lifecycle/watcher_lock.h"

#include "finalize/journal/journal_place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOCK_PLACE_SIZE (JOURNAL_PLACE_SIZE + 16)

#define TRIES        20u /* whoever looks whether it is held, holds it for an instant */
#define TRY_PAUSE_NS 10000000

/* Beside the journal; its directory is in `path` until the name is put behind it. */
static bool place(const struct settings *settings, const char *parent, bool making_directory,
                  char path[LOCK_PLACE_SIZE])
{
    char *slash;

    if (!journal_place(settings, parent, path))
        return false;
    slash = strrchr(path, '/');
    if (!slash)
        return false;
    *slash = 0;
    if (making_directory)
        (void)mkdir(path, 0700); /* that it isn't there shows when the file is opened */
    return (size_t)snprintf(slash, LOCK_PLACE_SIZE - (size_t)(slash - path), "/watcher.lock") <
           LOCK_PLACE_SIZE - (size_t)(slash - path);
}

static bool try_lock(int fd, int how)
{
    int result;

    do
        result = flock(fd, how | LOCK_NB);
    while (result != 0 && errno == EINTR);
    return result == 0;
}

bool watcher_lock_take(const struct settings *settings, const char *parent, int *ret_fd,
                       struct error *err)
{
    char path[LOCK_PLACE_SIZE];
    int fd;

    if (!place(settings, parent, true, path))
        return error_set(err, ERROR_PERMANENT, "the path of the watcher's lock is too long");
    fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_set_errno(err, ERROR_PERMANENT, errno, "cannot make %s", path);
    for (unsigned tries = 0; tries < TRIES; tries++) {
        if (try_lock(fd, LOCK_EX)) {
            *ret_fd = fd;
            return true;
        }
        if (errno != EWOULDBLOCK) {
            error_set_errno(err, ERROR_PERMANENT, errno, "cannot lock %s", path);
            close(fd);
            return false;
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = TRY_PAUSE_NS}, NULL);
    }
    close(fd);
    *ret_fd = -1;
    return true;
}

bool watcher_lock_is_at(const struct settings *settings, const char *parent, int fd)
{
    char path[LOCK_PLACE_SIZE];
    struct stat there, ours;

    return place(settings, parent, false, path) && !lstat(path, &there) && !fstat(fd, &ours) &&
           there.st_dev == ours.st_dev && there.st_ino == ours.st_ino;
}

bool watcher_lock_is_held(const struct settings *settings, const char *parent)
{
    char path[LOCK_PLACE_SIZE];
    bool held;
    int fd;

    if (!place(settings, parent, false, path))
        return false;
    fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return false;
    held = !try_lock(fd, LOCK_SH) && errno == EWOULDBLOCK;
    close(fd);
    return held;
}
