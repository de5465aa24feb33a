#include "finalize/session/lock_table.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define MOST_ENTRIES 65536u
#define LINE_SIZE    512

/* "1: FLOCK  ADVISORY  WRITE 1234 fe:00:5678 0 EOF"; a process that waits has "->" after
 * the number. */
static bool read_line(const char *line, struct lock_table_entry *ret_entry)
{
    struct lock_table_entry entry;
    char after;

    /* NOLINTNEXTLINE(cert-err34-c): the kernel's own numbers */
    if (sscanf(line, "%*u: FLOCK ADVISORY WRITE %d %x:%x:%" SCNu64 "%c", &entry.pid,
               &entry.device_major, &entry.device_minor, &entry.inode, &after) != 5 ||
        after != ' ' || entry.pid < 0)
        return false;
    *ret_entry = entry;
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
