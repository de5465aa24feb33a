#include "finalize/journal/journal_reserve.h"

#include "finalize/session/session_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define PLENTY_BYTES (4 * (uint64_t)JOURNAL_RESERVE_BYTES)
/* The log (CHECKPOINT of journal_connect.c) and its index of 32 KiB, and some rows. */
#define LEAST_BYTES (256u * 1024)
/* A transaction of ours changes some pages of 4 KiB for each file of a recording; those with very
 * many files are why this is not less. */
#define AT_ONCE_BYTES (256u * 1024)
#define PAGE_BYTES    4096u

/* False for a journal in memory, and when the path is too long. */
static bool find_path(const char *journal, char ret_path[SESSION_PATH_SIZE + 16])
{
    int length = snprintf(ret_path, SESSION_PATH_SIZE + 16, "%s-reserve", journal);

    return strcmp(journal, ":memory:") != 0 && length > 0 && length < SESSION_PATH_SIZE + 16;
}

/* What the disk of the journal has left; UINT64_MAX when it doesn't tell. */
static uint64_t room_beside(const char *journal)
{
    struct statvfs disk;

    if (statvfs(journal, &disk))
        return UINT64_MAX;
    return (uint64_t)disk.f_bavail * disk.f_frsize;
}

/* At most `room` bytes of it. What is there already stays when there is no more to be had. */
static void reserve(const char *journal, uint64_t room)
{
    char path[SESSION_PATH_SIZE + 16];
    uint64_t held, wanted = JOURNAL_RESERVE_BYTES;
    struct stat status;
    int fd;

    if (!find_path(journal, path))
        return;
    fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    if (fstat(fd, &status) || !S_ISREG(status.st_mode))
        goto out;
    held = (uint64_t)status.st_size;
    if (wanted > held + room)
        wanted = (held + room) / PAGE_BYTES * PAGE_BYTES;
    while (wanted > held && wanted >= LEAST_BYTES && posix_fallocate(fd, 0, (off_t)wanted))
        wanted /= 2;
    if (!held && wanted < LEAST_BYTES)
        (void)unlink(path);
out:
    close(fd);
}

void journal_reserve_make(const char *journal)
{
    if (room_beside(journal) >= PLENTY_BYTES)
        reserve(journal, JOURNAL_RESERVE_BYTES);
}

void journal_reserve_keep(const char *journal)
{
    uint64_t room = room_beside(journal);

    reserve(journal, room < JOURNAL_RESERVE_BYTES ? room : JOURNAL_RESERVE_BYTES);
}

bool journal_reserve_is_needed(const char *journal)
{
    return room_beside(journal) < AT_ONCE_BYTES;
}

bool journal_reserve_give_up(const char *journal)
{
    char path[SESSION_PATH_SIZE + 16];

    return find_path(journal, path) && (!unlink(path) || errno == ENOENT);
}
