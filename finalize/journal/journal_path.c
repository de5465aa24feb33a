#include "finalize/journal/journal_path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool fail_by_errno(int errno_value, const char *what, const char *path, struct error *err)
{
    enum error_kind kind = errno_value == ENOSPC || errno_value == EDQUOT ||
                                   errno_value == ENOMEM || errno_value == EMFILE ||
                                   errno_value == ENFILE
                               ? ERROR_TRANSIENT
                               : ERROR_PERMANENT;

    return error_set_errno(err, kind, errno_value, "%s (CONFOMEET_JOURNAL): %s", what, path);
}

/* A new directory's name is in the directory above: without this a power cut could take the whole
 * journal with it. Not every file system can do it. */
static void sync_directory_above(const char *directory)
{
    char above[SESSION_PATH_SIZE + 3];
    int fd;

    snprintf(above, sizeof above, "%s/..", directory);
    fd = open(above, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    (void)fsync(fd);
    close(fd);
}

/* Resolves the links on the way to the journal, which are the operator's, makes its directory when
 * it isn't there, and puts both together again in `ret_path`. */
static bool make_directory(const char *path, char ret_path[SESSION_PATH_SIZE], struct error *err)
{
    char directory[SESSION_PATH_SIZE];
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    char *resolved;
    bool fits;

    if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return fail_by_errno(EISDIR, "the journal has to be a file", path, err);
    if ((size_t)snprintf(directory, sizeof directory, "%.*s", slash ? (int)(name - path) : 1,
                         slash ? path : ".") >= sizeof directory)
        return fail_by_errno(ENAMETOOLONG, "the journal's path is too long", path, err);
    if (mkdir(directory, 0700) == 0)
        sync_directory_above(directory);
    else if (errno != EEXIST)
        return fail_by_errno(errno, "cannot make the journal's directory", directory, err);
    resolved = realpath(directory, NULL);
    if (!resolved)
        return fail_by_errno(errno, "cannot use the journal's directory", directory, err);
    fits = (size_t)snprintf(directory, sizeof directory, "%s/%s",
                            strcmp(resolved, "/") == 0 ? "" : resolved, name) < sizeof directory;
    free(resolved);
    if (!fits)
        return fail_by_errno(ENAMETOOLONG, "the journal's path is too long", path, err);
    memcpy(ret_path, directory, sizeof directory);
    return true;
}

/*
 * Makes the file when it isn't there: SQLite gives its -wal and -shm files the same mode. One that
 * is there must not be opened: closing it would take away the locks that another connection of this
 * process holds on it (POSIX locks belong to the process).
 */
static bool make_file(const char *path, struct error *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    struct stat status;

    if (fd >= 0) {
        close(fd);
        return true;
    }
    if (errno != EEXIST)
        return fail_by_errno(errno, "cannot make the journal", path, err);
    if (lstat(path, &status) != 0)
        return fail_by_errno(errno, "cannot use the journal", path, err);
    if (!S_ISREG(status.st_mode))
        return error_set(err, ERROR_PERMANENT,
                         "the journal is no regular file (CONFOMEET_JOURNAL): %s", path);
    return true;
}

bool journal_path_make(const char *path, char ret_path[SESSION_PATH_SIZE], struct error *err)
{
    char real_path[SESSION_PATH_SIZE];

    if (!make_directory(path, real_path, err) || !make_file(real_path, err))
        return false;
    memcpy(ret_path, real_path, sizeof real_path);
    return true;
}
