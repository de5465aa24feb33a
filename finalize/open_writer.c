#include "finalize/open_writer.h"

#include "finalize/file_name.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

bool open_writer_has(int fd)
{
    /* Sent when somebody opens it for writing while we have the lease. */
    void (*before)(int) = signal(SIGIO, SIG_IGN);
    bool has = fcntl(fd, F_SETLEASE, F_RDLCK) != 0 && errno == EAGAIN;

    if (!has)
        (void)fcntl(fd, F_SETLEASE, F_UNLCK);
    (void)signal(SIGIO, before == SIG_ERR ? SIG_DFL : before);
    return has;
}

bool open_writer_in(const char *directory)
{
    DIR *list = opendir(directory);
    struct dirent *entry;
    bool has = false;

    while (list && !has && (entry = readdir(list))) {
        int fd;

        if (!file_name_is_media(entry->d_name))
            continue;
        fd = openat(dirfd(list), entry->d_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        has = fd >= 0 && open_writer_has(fd);
        if (fd >= 0)
            close(fd);
    }
    if (list)
        closedir(list);
    return has;
}
