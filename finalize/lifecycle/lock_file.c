#include "finalize/lifecycle/lock_file.h"

#include "finalize/journal/journal_place.h"
#include "finalize/session/lock_table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_SIZE (JOURNAL_PLACE_SIZE + 16)

/* Where the lock file is: beside the journal, whose directory is made if asked. Where that fails,
 * the open() that follows says why. */
static bool place(const struct settings *settings, const char *parent, enum lock_file which,
                  bool making_directory, char path[PATH_SIZE])
{
    static const char *const names[] = {
        [LOCK_FILE_WATCHER] = "watcher.lock", [LOCK_FILE_VANISHED] = "vanished.lock"};
    char *slash;

    if (!journal_place(settings, parent, path) || !(slash = strrchr(path, '/')))
        return false;
    *slash = 0;
    if (making_directory)
        (void)mkdir(path, 0700);
    return (size_t)snprintf(slash, PATH_SIZE - (size_t)(slash - path), "/%s", names[which]) <
           PATH_SIZE - (size_t)(slash - path);
}

bool lock_file_take(const struct settings *settings, const char *parent, enum lock_file which,
                    int *ret_fd, struct error *err)
{
    char path[PATH_SIZE];
    int fd, result;

    if (!place(settings, parent, which, true, path))
        return error_set(err, ERROR_PERMANENT, "the path of a lock beside the journal is too long");
    fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_set_errno(err, ERROR_PERMANENT, errno, "cannot make %s", path);
    do
        result = flock(fd, LOCK_EX | LOCK_NB);
    while (result != 0 && errno == EINTR);
    if (result != 0 && errno != EWOULDBLOCK) {
        error_set_errno(err, ERROR_PERMANENT, errno, "cannot lock %s", path);
        close(fd);
        return false;
    }
    if (result != 0)
        close(fd);
    *ret_fd = result == 0 ? fd : -1;
    return true;
}

bool lock_file_is_at(const struct settings *settings, const char *parent, enum lock_file which,
                     int fd)
{
    char path[PATH_SIZE];
    struct stat there, ours;

    return place(settings, parent, which, false, path) && !lstat(path, &there) &&
           !fstat(fd, &ours) && there.st_dev == ours.st_dev && there.st_ino == ours.st_ino;
}

bool lock_file_is_held(const struct settings *settings, const char *parent, enum lock_file which)
{
    char path[PATH_SIZE];

    return place(settings, parent, which, false, path) && lock_table_holder_now(path) > 0;
}
