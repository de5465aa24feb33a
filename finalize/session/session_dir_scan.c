/* session_dir_scan - visits the files of a session directory: session_dir_scan(). */
#include "finalize/session/file_name.h"
#include "finalize/session/session_dir.h"
#include "finalize/session/session_dir_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_NAMES 1000000u /* in one directory */

struct names {
    char **names;
    size_t count;
};

struct scan {
    const struct session_dir_visitor *visitor;
    const char *session_path;     /* for messages */
    char path[SESSION_PATH_SIZE]; /* of the entry that is looked at */
};

/* A directory being scanned: its fd, the length of its path in scan->path, and how deep it is. */
struct level {
    int fd;
    size_t path_length;
    unsigned depth;
};

static void free_names(struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->names[i]);
    free(names->names);
}

static bool add_name(struct names *names, const char *name)
{
    char **grown = reallocarray(names->names, names->count + 1, sizeof *grown);

    if (!grown)
        return false;
    names->names = grown;
    grown[names->count] = strdup(name);
    if (!grown[names->count])
        return false;
    names->count++;
    return true;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static const char *shown(const struct scan *scan)
{
    return *scan->path ? scan->path : scan->session_path;
}

static bool fail(const struct scan *scan, int errno_value, struct error *err)
{
    return error_set_errno(err, session_dir_error_kind(errno_value), errno_value, "cannot read %s",
                           shown(scan));
}

static void skip(const struct scan *scan, const char *reason)
{
    if (scan->visitor->skipped)
        scan->visitor->skipped(scan->visitor->context, *scan->path ? scan->path : ".", reason);
}

/* An entry that can't be read. Without the right to read it, it is passed over; an error of the
 * entry itself is told by `unreadable`; any other one (no memory, too many open files) ends the
 * scan. */
static bool skip_unreadable(const struct scan *scan, int errno_value, struct error *err)
{
    const struct session_dir_visitor *visitor = scan->visitor;
    char reason[96];

    if (errno_value == ENOENT)
        return true; /* removed since its name was read */
    if (!*scan->path || session_dir_error_kind(errno_value) != ERROR_PERMANENT)
        return fail(scan, errno_value, err);
    if (errno_value != EACCES && errno_value != EPERM)
        return visitor->unreadable
                   ? visitor->unreadable(visitor->context, scan->path, errno_value, err)
                   : fail(scan, errno_value, err);
    snprintf(reason, sizeof reason, "not readable: %s", strerror(errno_value));
    skip(scan, reason);
    return true;
}

/* `names` is to be given to free_names() in any case. */
static bool read_names(const struct scan *scan, DIR *directory, struct names *names,
                       struct error *err)
{
    struct dirent *entry;

    while ((errno = 0, entry = readdir(directory))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (names->count == MAX_NAMES)
            return error_set(err, ERROR_PERMANENT, "more than %u names in %s", MAX_NAMES,
                             shown(scan));
        if (!add_name(names, entry->d_name))
            return fail(scan, ENOMEM, err);
    }
    if (errno && !skip_unreadable(scan, errno, err))
        return false;
    if (names->count)
        qsort(names->names, names->count, sizeof *names->names, compare_names);
    return true;
}

static bool list_names(const struct scan *scan, int fd, struct names *names, struct error *err)
{
    DIR *directory = session_dir_open_list(fd);
    bool done;

    if (!directory)
        return skip_unreadable(scan, errno, err);
    done = read_names(scan, directory, names, err);
    closedir(directory);
    return done;
}

static const char *kind_of(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFLNK:
        return "a symbolic link";
    case S_IFIFO:
        return "a FIFO";
    case S_IFSOCK:
        return "a socket";
    default:
        return "a device";
    }
}

static bool scan_directory(struct scan *scan, const struct level *level, struct error *err);

static bool enter(struct scan *scan, const struct level *level, const char *name, struct error *err)
{
    struct level below = {.path_length = strlen(scan->path), .depth = level->depth + 1};
    bool done;

    if (strcmp(name, SESSION_DIR_OURS) == 0) {
        skip(scan, "the journal's directory");
        return true;
    }
    if (below.depth > SESSION_MAX_DEPTH) {
        skip(scan, "nested too deep");
        return true;
    }
    below.fd = openat(level->fd, name, SESSION_DIR_OPEN_FLAGS);
    if (below.fd < 0 && (errno == ENOTDIR || errno == ELOOP))
        return error_set_errno(err, ERROR_CHANGED, errno, "cannot open %s", scan->path);
    if (below.fd < 0)
        return skip_unreadable(scan, errno, err);
    done = scan_directory(scan, &below, err);
    close(below.fd);
    return done;
}

static bool scan_entry(struct scan *scan, const struct level *level, const char *name,
                       struct error *err)
{
    struct session_dir_file found = {.path = scan->path};
    struct stat status;

    if (fstatat(level->fd, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return skip_unreadable(scan, errno, err);
    if (S_ISDIR(status.st_mode))
        return enter(scan, level, name, err);
    if (!S_ISREG(status.st_mode)) {
        skip(scan, kind_of(status.st_mode));
        return true;
    }
    found.media = file_name_is_media(scan->visitor->media, name);
    found.identity = session_dir_identity_of(&status);
    return scan->visitor->file(scan->visitor->context, &found, err);
}

static bool scan_directory(struct scan *scan, const struct level *level, struct error *err)
{
    struct names names = {0};
    bool done = list_names(scan, level->fd, &names, err);

    for (size_t i = 0; done && i < names.count; i++) {
        size_t room = sizeof scan->path - level->path_length;
        int length = snprintf(scan->path + level->path_length, room, "%s%s",
                              level->path_length ? "/" : "", names.names[i]);

        if ((size_t)length < room)
            done = scan_entry(scan, level, names.names[i], err);
        scan->path[level->path_length] = 0;
        if ((size_t)length >= room)
            skip(scan, "holds a name that makes the path too long");
    }
    free_names(&names);
    return done;
}

bool session_dir_scan(struct session_dir *session, const struct session_dir_visitor *visitor,
                      struct error *err)
{
    struct scan scan = {.visitor = visitor, .session_path = session->path};
    struct level top = {.fd = session->fd};

    return scan_directory(&scan, &top, err);
}
