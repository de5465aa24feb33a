/* session_dir_remove - removes a file that is known, and directories that are empty. */
#include "finalize/session/session_dir.h"
#include "finalize/session/session_dir_private.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Not every file system can sync a directory, and the removal has happened by now. */
static void sync_directory(int fd)
{
    (void)fsync(fd);
}

static bool fail_to_remove(const char *path, int errno_value, struct error *err)
{
    return error_set_errno(err, session_dir_error_kind(errno_value), errno_value,
                           "cannot remove %s", path);
}

/* The only unlink() of a session's file. */
static bool remove_expected(int holder, const char *name, const char *path,
                            const struct file_identity *expected, struct error *err)
{
    struct file_identity identity;
    struct stat status;

    if (fstatat(holder, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT || fail_to_remove(path, errno, err);
    if (!S_ISREG(status.st_mode)) /* a link to where it was moved, say: the scan skips it, too */
        return true;
    identity = session_dir_identity_of(&status);
    if (!file_identity_same(&identity, expected))
        return error_set(err, ERROR_CHANGED,
                         "not removed, since it is not the file that was uploaded: %s", path);
    if (unlinkat(holder, name, 0) != 0 && errno != ENOENT)
        return fail_to_remove(path, errno, err);
    sync_directory(holder);
    return true;
}

/* Removes the directories on the way to `path` that are empty now, from the lowest up. */
static void remove_empty_above(const struct session_dir *session, const char *path)
{
    char above[SESSION_PATH_SIZE];
    const char *name;
    char *slash;
    bool removed = true;

    memcpy(above, path, strlen(path) + 1);
    while (removed && (slash = strrchr(above, '/'))) {
        int holder;

        *slash = 0;
        holder = session_dir_open_holder(session, above, &name);
        removed = holder >= 0 && (unlinkat(holder, name, AT_REMOVEDIR) == 0 || errno == ENOENT);
        if (removed)
            sync_directory(holder);
        /* A directory above that is gone itself has nothing left to remove in it. */
        if (holder < 0 && errno == ENOENT)
            removed = true;
        if (holder >= 0)
            close(holder);
    }
}

bool session_dir_remove_file(struct session_dir *session, const char *path,
                             const struct file_identity *expected, struct error *err)
{
    const char *name = NULL;
    bool done = true;
    int holder;

    if (!session_dir_check_path(path, err))
        return false;
    holder = session_dir_open_holder(session, path, &name);
    if (holder < 0 && !session_dir_is_gone(errno))
        return fail_to_remove(path, errno, err);
    if (holder >= 0) {
        done = remove_expected(holder, name, path, expected, err);
        close(holder);
    }
    if (done)
        remove_empty_above(session, path);
    return done;
}

/* --- the session directory --- */

enum sweep { LOOK, REMOVE };

static bool sweep_directory(int fd, unsigned depth, enum sweep sweep);

/* Whether `name` is a directory with nothing but such directories in it; removes it, if asked. */
static bool sweep_entry(int holder, const char *name, unsigned depth, enum sweep sweep)
{
    bool empty;
    int fd;

    if (depth > SESSION_MAX_DEPTH || strcmp(name, SESSION_DIR_OURS) == 0)
        return false;
    fd = openat(holder, name, SESSION_DIR_OPEN_FLAGS);
    if (fd < 0)
        return false;
    empty = sweep_directory(fd, depth, sweep);
    close(fd);
    return empty && (sweep == LOOK || unlinkat(holder, name, AT_REMOVEDIR) == 0);
}

static bool sweep_directory(int fd, unsigned depth, enum sweep sweep)
{
    DIR *directory = session_dir_open_list(fd);
    struct dirent *entry;
    bool empty = directory != NULL;

    while (empty && (errno = 0, entry = readdir(directory)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            empty = sweep_entry(fd, entry->d_name, depth + 1, sweep);
    if (empty && errno)
        empty = false;
    if (directory)
        closedir(directory);
    return empty;
}

bool session_dir_remove_directory(struct session_dir *session, bool *ret_removed, struct error *err)
{
    struct stat status;
    int parent, result, remove_errno;

    if (lstat(session->path, &status) != 0 && errno == ENOENT) {
        *ret_removed = true;
        return true;
    }
    if (!session_dir_still_there(session))
        return error_set(err, ERROR_CHANGED,
                         "not removed: another directory has taken the place of %s", session->path);
    if (!sweep_directory(session->fd, 0, LOOK) || !sweep_directory(session->fd, 0, REMOVE)) {
        *ret_removed = false;
        return true;
    }
    parent = open(session->parent, SESSION_DIR_OPEN_FLAGS);
    if (parent < 0)
        return fail_to_remove(session->path, errno, err);
    result = unlinkat(parent, session->session_id, AT_REMOVEDIR);
    remove_errno = errno;
    if (result == 0)
        sync_directory(parent);
    close(parent);
    if (result != 0 && remove_errno != ENOTEMPTY && remove_errno != EEXIST)
        return fail_to_remove(session->path, remove_errno, err);
    *ret_removed = result == 0;
    return true;
}
