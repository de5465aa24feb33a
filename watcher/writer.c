#include "watcher/writer.h"

#include <errno.h>
#include <fcntl.h>

enum policy_writer writer_of(int fd)
{
    if (fcntl(fd, F_SETLEASE, F_RDLCK) == 0) {
        (void)fcntl(fd, F_SETLEASE, F_UNLCK);
        return POLICY_WRITER_NONE;
    }
    return errno == EAGAIN ? POLICY_WRITER_THERE : POLICY_WRITER_UNKNOWN;
}
