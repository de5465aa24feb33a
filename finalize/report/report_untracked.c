#include "finalize/report/report_untracked.h"

#include "finalize/session/file_name.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void add_file(struct report_untracked *found, const char *media, uint64_t *media_bytes,
                     const char *name, const struct stat *status)
{
    found->files++;
    found->bytes += (uint64_t)status->st_size;
    if (found->files == 1 || status->st_mtime > found->newest_at)
        found->newest_at = status->st_mtime;
    if (file_name_is_media(media, name) &&
        (!found->media_name[0] || (uint64_t)status->st_size > *media_bytes)) {
        *media_bytes = (uint64_t)status->st_size;
        snprintf(found->media_name, sizeof found->media_name, "%s", name);
    }
}

/* False when it is no directory, or cannot be read. */
static bool look_into(int parent, const char *name, const char *media,
                      struct report_untracked *found)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *list = fd >= 0 ? fdopendir(fd) : NULL;
    uint64_t media_bytes = 0;
    struct dirent *entry;
    struct stat status;

    if (!list) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    found->newest_at = fstat(fd, &status) == 0 ? status.st_mtime : 0;
    while ((entry = readdir(list)))
        if (fstatat(fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(status.st_mode))
            add_file(found, media, &media_bytes, entry->d_name, &status);
    closedir(list);
    return true;
}

static bool name_it(const char *recordings_dir, const char *name, struct report_untracked *found)
{
    int length = snprintf(found->directory, sizeof found->directory, "%s/%s",
                          strcmp(recordings_dir, "/") ? recordings_dir : "", name);

    snprintf(found->session_id, sizeof found->session_id, "%s", name);
    return length > 0 && (size_t)length < sizeof found->directory;
}

bool report_untracked_each(const char *recordings_dir, const char *media, struct journal_view *view,
                           bool (*visit)(void *context, const struct report_untracked *found,
                                         struct error *err),
                           void *context, struct error *err)
{
    DIR *list = opendir(recordings_dir);
    struct dirent *entry;
    bool ok = true;

    if (!list)
        return errno == ENOENT ||
               error_set_errno(err, ERROR_PERMANENT, errno, "cannot read %s", recordings_dir);
    while (ok && (entry = readdir(list))) {
        struct report_untracked found = {.files = 0};
        bool known = false;

        if (entry->d_name[0] == '.' || (entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN) ||
            !name_it(recordings_dir, entry->d_name, &found))
            continue;
        ok = !view || journal_view_knows(view, found.directory, &known, err);
        if (ok && !known && look_into(dirfd(list), entry->d_name, media, &found))
            ok = visit(context, &found, err);
    }
    closedir(list);
    return ok;
}
