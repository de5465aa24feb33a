#include "finalize/session/recordings_dir.h"

#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

const char *recordings_dir_of(const struct settings *settings)
{
    static const char *const usual[] = {"/config/recordings", "/storage/recordings", NULL};

    if (settings->recordings_dir)
        return settings->recordings_dir;
    for (const char *const *directory = usual; *directory; directory++)
        if (!access(*directory, F_OK))
            return *directory;
    return NULL;
}

uint64_t recordings_dir_inode(const char *directory)
{
    struct stat status;

    return stat(directory, &status) ? 0 : status.st_ino;
}

bool recordings_dir_is_same(const char *directory, uint64_t inode)
{
    uint64_t there = recordings_dir_inode(directory);

    return there && (!inode || inode == there);
}
