#include "finalize/session/session_dir.h"

#include "finalize/session/session_dir_private.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum error_kind session_dir_error_kind(int errno_value)
{
    switch (errno_value) {
    case ENOMEM:
    case EMFILE:
    case ENFILE:
    case EINTR:
    case EAGAIN:
        return ERROR_TRANSIENT;
    default:
        return ERROR_PERMANENT;
    }
}

bool session_dir_is_gone(int errno_value)
{
    return errno_value == ENOENT || errno_value == ENOTDIR || errno_value == ELOOP;
}

struct file_identity session_dir_identity_of(const struct stat *status)
{
    return (struct file_identity){
        .inode = status->st_ino,
        .size_bytes = (uint64_t)status->st_size,
        .mtime_ns = (int64_t)status->st_mtim.tv_sec * 1000000000 + status->st_mtim.tv_nsec,
    };
}

bool file_identity_same(const struct file_identity *a, const struct file_identity *b)
{
    return a->inode == b->inode && a->size_bytes == b->size_bytes && a->mtime_ns == b->mtime_ns;
}

/* --- the session directory --- */

/* Whether a name on the way to `path` is that of our own directory. */
static bool is_in_our_own_directory(const char *path)
{
    size_t length;

    for (; *path; path += length) {
        path += strspn(path, "/");
        length = strcspn(path, "/");
        if (length == strlen(SESSION_DIR_OURS) && memcmp(path, SESSION_DIR_OURS, length) == 0)
            return true;
    }
    return false;
}

/* Splits the resolved path: the parent and the last name. */
static bool name_session(struct session_dir *session, const char *resolved, struct error *err)
{
    const char *slash = strrchr(resolved, '/');
    size_t parent_length = slash == resolved ? 1 : (size_t)(slash - resolved);

    if (!slash[1])
        return error_set(err, ERROR_USAGE, "the root directory is no session's directory");
    if (is_in_our_own_directory(resolved))
        return error_set(err, ERROR_USAGE, "this is the journal's directory, no session's: %s",
                         resolved);
    if (strlen(slash + 1) >= SESSION_NAME_SIZE || strlen(resolved) >= SESSION_PATH_SIZE)
        return error_set_errno(err, ERROR_PERMANENT, ENAMETOOLONG, "cannot use %s", resolved);
    memcpy(session->path, resolved, strlen(resolved) + 1);
    memcpy(session->parent, resolved, parent_length);
    session->parent[parent_length] = 0;
    session->session_id = session->path + (slash + 1 - resolved);
    return true;
}

static bool fail_to_open(const char *path, int errno_value, struct error *err)
{
    enum error_kind kind = errno_value == ENOENT || errno_value == ENOTDIR
                               ? ERROR_NO_INPUT
                               : session_dir_error_kind(errno_value);

    return error_set_errno(err, kind, errno_value, "cannot open the session's directory %s", path);
}

/* A recordings directory holds the journal's directory (a link to it serves an operator as well).
 */
static bool check_for_our_directory(const struct session_dir *session, struct error *err)
{
    struct stat status;

    if (fstatat(session->fd, SESSION_DIR_OURS, &status, 0) != 0)
        return session_dir_is_gone(errno) || fail_to_open(session->path, errno, err);
    if (!S_ISDIR(status.st_mode))
        return true;
    return error_set(err, ERROR_USAGE,
                     "this is a recordings directory, no session's (it holds %s): %s",
                     SESSION_DIR_OURS, session->path);
}

bool session_dir_open(const char *path, struct session_dir **ret_session, struct error *err)
{
    struct session_dir *session = calloc(1, sizeof *session);
    char *resolved = NULL;

    if (!session)
        return error_set_errno(err, ERROR_TRANSIENT, ENOMEM, "cannot open %s", path);
    session->fd = -1;
    resolved = realpath(path, NULL);
    if (!resolved) {
        fail_to_open(path, errno, err);
        goto fail;
    }
    if (!name_session(session, resolved, err))
        goto fail;
    session->fd = open(resolved, SESSION_DIR_OPEN_FLAGS);
    if (session->fd < 0) {
        fail_to_open(path, errno, err);
        goto fail;
    }
    if (!check_for_our_directory(session, err))
        goto fail;
    free(resolved);
    *ret_session = session;
    return true;

fail:
    free(resolved);
    session_dir_close(session);
    return false;
}

bool session_dir_name_vanished(const char *path, char ret_parent[SESSION_PATH_SIZE],
                               char ret_path[SESSION_PATH_SIZE])
{
    char *for_parent = strdup(path), *for_name = strdup(path);
    char *parent = for_parent ? realpath(dirname(for_parent), NULL) : NULL;
    const char *above = parent ? parent : for_parent && *path == '/' ? for_parent : NULL;
    bool named = above && for_name;

    if (named) {
        snprintf(ret_parent, SESSION_PATH_SIZE, "%s", above);
        named =
            (size_t)snprintf(ret_path, SESSION_PATH_SIZE, "%s/%s", strcmp(above, "/") ? above : "",
                             basename(for_name)) < SESSION_PATH_SIZE;
    }
    free(for_parent);
    free(for_name);
    free(parent);
    return named;
}

void session_dir_close(struct session_dir *session)
{
    if (!session)
        return;
    if (session->fd >= 0)
        close(session->fd);
    free(session);
}

const char *session_dir_path(const struct session_dir *session)
{
    return session->path;
}

const char *session_dir_session_id(const struct session_dir *session)
{
    return session->session_id;
}

const char *session_dir_parent(const struct session_dir *session)
{
    return session->parent;
}

bool session_dir_try_lock(struct session_dir *session, bool *ret_locked, struct error *err)
{
    int result;

    do
        result = flock(session->fd, LOCK_EX | LOCK_NB);
    while (result != 0 && errno == EINTR);
    if (result != 0 && errno != EWOULDBLOCK)
        return error_set_errno(err,
                               errno == ENOLCK ? ERROR_TRANSIENT : session_dir_error_kind(errno),
                               errno, "cannot lock %s", session->path);
    *ret_locked = result == 0;
    return true;
}

bool session_dir_still_there(const struct session_dir *session)
{
    struct stat ours, there;

    return fstat(session->fd, &ours) == 0 && lstat(session->path, &there) == 0 &&
           ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

/* --- the way to a file --- */

bool session_dir_check_path(const char *path, struct error *err)
{
    bool usable = *path && *path != '/' && strlen(path) < SESSION_PATH_SIZE;
    const char *name = path;

    while (usable && name) {
        size_t length = strcspn(name, "/");

        usable = length > 0 && length < SESSION_NAME_SIZE &&
                 !(length <= 2 && memcmp(name, "..", length) == 0);
        name = name[length] ? name + length + 1 : NULL;
    }
    if (usable && !is_in_our_own_directory(path))
        return true;
    return error_set(err, ERROR_PERMANENT, "not the path of a file in a session's directory: %s",
                     path);
}

DIR *session_dir_open_list(int fd)
{
    int own_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    DIR *directory = own_fd >= 0 ? fdopendir(own_fd) : NULL;
    int open_errno = errno;

    if (directory)
        rewinddir(directory); /* the position is shared by all copies of a descriptor */
    else if (own_fd >= 0)
        close(own_fd);
    errno = open_errno;
    return directory;
}

int session_dir_open_holder(const struct session_dir *session, const char *path,
                            const char **ret_name)
{
    int fd = fcntl(session->fd, F_DUPFD_CLOEXEC, 0);
    char name[SESSION_NAME_SIZE];
    const char *slash;

    while (fd >= 0 && (slash = strchr(path, '/'))) {
        int next, open_errno;

        memcpy(name, path, (size_t)(slash - path));
        name[slash - path] = 0;
        next = openat(fd, name, SESSION_DIR_OPEN_FLAGS);
        open_errno = errno;
        close(fd);
        errno = open_errno;
        fd = next;
        path = slash + 1;
    }
    if (fd >= 0)
        *ret_name = path;
    return fd;
}

static bool fail_to_open_file(const char *path, int errno_value, struct error *err)
{
    /* ENXIO: a socket, or a device that isn't there. */
    enum error_kind kind = session_dir_is_gone(errno_value) || errno_value == ENXIO
                               ? ERROR_CHANGED
                               : session_dir_error_kind(errno_value);

    return error_set_errno(err, kind, errno_value, "cannot open %s", path);
}

static bool open_file(struct session_dir *session, const char *path, int flags, int *ret_fd,
                      struct file_identity *ret_identity, struct error *err)
{
    const char *name = NULL;
    struct stat status;
    int holder, fd = -1, open_errno;

    if (!session_dir_check_path(path, err))
        return false;
    holder = session_dir_open_holder(session, path, &name);
    if (holder < 0)
        return fail_to_open_file(path, errno, err);
    fd = openat(holder, name, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    open_errno = errno;
    close(holder);
    if (fd < 0)
        return fail_to_open_file(path, open_errno, err);
    if (fstat(fd, &status) != 0) {
        error_set_errno(err, session_dir_error_kind(errno), errno, "cannot look at %s", path);
        goto fail;
    }
    if (!S_ISREG(status.st_mode)) {
        error_set(err, ERROR_CHANGED, "not a regular file any more: %s", path);
        goto fail;
    }
    *ret_identity = session_dir_identity_of(&status);
    *ret_fd = fd;
    return true;

fail:
    close(fd);
    return false;
}

bool session_dir_open_file(struct session_dir *session, const char *path, int *ret_fd,
                           struct file_identity *ret_identity, struct error *err)
{
    return open_file(session, path, O_RDONLY, ret_fd, ret_identity, err);
}

bool session_dir_open_file_to_write(struct session_dir *session, const char *path, int *ret_fd,
                                    struct error *err)
{
    struct file_identity ignored;

    return open_file(session, path, O_RDWR, ret_fd, &ignored, err);
}

bool session_dir_identify(int fd, struct file_identity *ret_identity)
{
    struct stat status;

    if (fstat(fd, &status) != 0)
        return false;
    *ret_identity = session_dir_identity_of(&status);
    return true;
}
