#include "finalize/session/open_writer.h"

#include "finalize/session/session_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
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

/*
 * The kernel gives a read lease only while no process has the file open for writing (fcntl(2),
 * F_SETLEASE); it is given back at once. NFS and SMB refuse it for reasons of their own as well.
 */
static enum open_writer ask_for_lease(int fd)
{
    if (fcntl(fd, F_SETLEASE, F_RDLCK) == 0)
        return fcntl(fd, F_SETLEASE, F_UNLCK) == 0 ? OPEN_WRITER_NONE : OPEN_WRITER_UNKNOWN;
    return errno == EAGAIN && !is_on_network(fd) ? OPEN_WRITER_THERE : OPEN_WRITER_UNKNOWN;
}

struct look {
    struct session_dir *session;
    enum open_writer writer;
};

static bool look_at(void *context, const struct session_dir_file *found, struct error *err)
{
    struct look *look = context;
    struct error ignored = ERROR_INIT;
    enum open_writer writer = OPEN_WRITER_UNKNOWN;
    struct file_identity identity;
    int fd;

    if (session_dir_open_file(look->session, found->path, &fd, &identity, &ignored)) {
        writer = ask_for_lease(fd);
        close(fd);
    } else if (ignored.kind == ERROR_CHANGED) {
        writer = OPEN_WRITER_NONE; /* it is gone */
    }
    if (writer != OPEN_WRITER_NONE)
        look->writer = writer;
    return writer != OPEN_WRITER_THERE || error_set(err, ERROR_STOPPED, "a writer is found");
}

enum open_writer open_writer_in(const char *directory)
{
    struct look look = {.writer = OPEN_WRITER_NONE};
    struct session_dir_visitor visitor = {.context = &look, .file = look_at};
    struct error err = ERROR_INIT;
    void (*before)(int);

    if (!session_dir_open(directory, &look.session, &err))
        return err.kind == ERROR_NO_INPUT ? OPEN_WRITER_NONE : OPEN_WRITER_UNKNOWN;
    /* The kernel sends it when a process opens a file for writing while we have the lease. */
    before = signal(SIGIO, SIG_IGN);
    if (!session_dir_scan(look.session, &visitor, &err) && look.writer == OPEN_WRITER_NONE)
        look.writer = OPEN_WRITER_UNKNOWN;
    (void)signal(SIGIO, before == SIG_ERR ? SIG_DFL : before);
    session_dir_close(look.session);
    return look.writer;
}
