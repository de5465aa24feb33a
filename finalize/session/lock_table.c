#include "finalize/session/lock_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define MOST_ENTRIES 65536u
#define LINE_SIZE    512

/* A number that ends before `end`; false when there is none. */
static bool read_number(const char **text, int base, char end, uint64_t *ret_number)
{
    char *rest;

    errno = 0;
    *ret_number = strtoull(*text, &rest, base);
    if (errno || rest == *text || *rest != end)
        return false;
    *text = rest + 1;
    return true;
}

/* "1: FLOCK  ADVISORY  WRITE 1234 fe:00:5678 0 EOF"; a process that waits has "->" after
 * the number. */
static bool read_line(const char *line, struct lock_table_entry *ret_entry)
{
    static const char *const words[] = {"FLOCK", "ADVISORY", "WRITE"};
    const char *rest = line + strspn(line, "0123456789");
    uint64_t pid, device_major, device_minor, inode;

    if (*rest++ != ':')
        return false;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        rest += strspn(rest, " ");
        if (strncmp(rest, words[i], strlen(words[i])) != 0)
            return false;
        rest += strlen(words[i]);
    }
    if (!read_number(&rest, 10, ' ', &pid) || !read_number(&rest, 16, ':', &device_major) ||
        !read_number(&rest, 16, ':', &device_minor) || !read_number(&rest, 10, ' ', &inode) ||
        pid > INT32_MAX)
        return false;
    *ret_entry = (struct lock_table_entry){.device_major = (unsigned)device_major,
                                           .device_minor = (unsigned)device_minor,
                                           .inode = inode,
                                           .pid = (pid_t)pid};
    return true;
}

void lock_table_read_from(FILE *in, struct lock_table *ret_table)
{
    char line[LINE_SIZE];

    *ret_table = (struct lock_table){.known = in != NULL};
    while (in && fgets(line, sizeof line, in)) {
        struct lock_table_entry entry, *more;

        if (!read_line(line, &entry))
            continue;
        more = ret_table->count < MOST_ENTRIES
                   ? reallocarray(ret_table->entries, ret_table->count + 1, sizeof *more)
                   : NULL;
        if (!more) {
            ret_table->known = false; /* a part of the list proves nothing */
            return;
        }
        more[ret_table->count++] = entry;
        ret_table->entries = more;
    }
}

void lock_table_read(struct lock_table *ret_table)
{
    FILE *in = fopen("/proc/locks", "re");

    lock_table_read_from(in, ret_table);
    if (in)
        (void)fclose(in);
}

void lock_table_done(struct lock_table *table)
{
    free(table->entries);
    *table = (struct lock_table){0};
}

pid_t lock_table_holder_of(const struct lock_table *table, dev_t device, uint64_t inode)
{
    /* Devices without a number of their own (btrfs, overlays) show another one to stat(): there the
     * inode has to do. A flock() of another directory with that inode is unlikely. */
    bool anonymous = major(device) == 0;

    for (size_t i = 0; i < table->count; i++) {
        const struct lock_table_entry *entry = &table->entries[i];

        if (entry->inode == inode &&
            ((entry->device_major == major(device) && entry->device_minor == minor(device)) ||
             (anonymous && entry->device_major == 0)))
            return entry->pid;
    }
    return 0;
}

pid_t lock_table_holder(const struct lock_table *table, const char *directory)
{
    struct stat status;

    if (!table->count || lstat(directory, &status) != 0)
        return 0;
    return lock_table_holder_of(table, status.st_dev, status.st_ino);
}

pid_t lock_table_holder_now(const char *directory)
{
    struct lock_table table;
    pid_t holder = 0;

    /* The kernel gives the list in pieces, between which locks come and go: one may be passed over.
     */
    for (unsigned looks = 0; looks < 2 && holder == 0; looks++) {
        lock_table_read(&table);
        holder = table.known ? lock_table_holder(&table, directory) : -1;
        lock_table_done(&table);
    }
    return holder;
}
