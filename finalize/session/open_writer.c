#include "finalize/session/open_writer.h"

#include "finalize/session/file_name.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* The kernel's numbers of the file systems (linux/magic.h of Debian 11 lacks some). */
static bool is_on_network(int fd)
{
    static const uint32_t types[] = {0x6969 /* NFS */, 0x517b /* SMB */, 0xff534d42 /* CIFS */,
                                     0xfe534d42 /* SMB 2 */};
    struct statfs status;

    if (fstatfs(fd, &status))
        return true;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if ((uint32_t)status.f_type == types[i])
            return true;
    return false;
}

enum open_writer open_writer_of(int fd)
{
    /* Sent when somebody opens it for writing while we have the lease. */
    void (*before)(int) = signal(SIGIO, SIG_IGN);
    enum open_writer writer = OPEN_WRITER_NONE;

    if (fcntl(fd, F_SETLEASE, F_RDLCK) == 0)
        (void)fcntl(fd, F_SETLEASE, F_UNLCK);
    else
        writer = errno == EAGAIN && !is_on_network(fd) ? OPEN_WRITER_THERE : OPEN_WRITER_UNKNOWN;
    (void)signal(SIGIO, before == SIG_ERR ? SIG_DFL : before);
    return writer;
}

static enum open_writer look_at(int directory, const char *name)
{
    int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat status;
    enum open_writer writer = OPEN_WRITER_UNKNOWN;

    if (fd < 0)
        return errno == ENOENT || errno == ELOOP ? OPEN_WRITER_NONE : OPEN_WRITER_UNKNOWN;
    if (fstat(fd, &status) == 0)
        writer = S_ISREG(status.st_mode) ? open_writer_of(fd) : OPEN_WRITER_NONE;
    close(fd);
    return writer;
}

enum open_writer open_writer_in(const char *directory)
{
    DIR *list = opendir(directory);
    enum open_writer writer = OPEN_WRITER_NONE;
    struct dirent *entry;

    if (!list)
        return errno == ENOENT ? OPEN_WRITER_NONE : OPEN_WRITER_UNKNOWN;
    while (writer != OPEN_WRITER_THERE && (entry = readdir(list))) {
        enum open_writer one = file_name_is_media(entry->d_name)
                                   ? look_at(dirfd(list), entry->d_name)
                                   : OPEN_WRITER_NONE;

        if (one != OPEN_WRITER_NONE)
            writer = one;
    }
    closedir(list);
    return writer;
}
