/*
 * lock_table - who holds the lock of a session directory, without touching it.
 *
 * The kernel lists all locks in /proc/locks. To try a lock, even for an instant, would make a
 * program that wants it at that instant believe that the recording is being worked on. A process
 * that cannot be seen from here (in another container) is not in the list.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

struct lock_table_entry {
    unsigned device_major, device_minor;
    uint64_t inode;
    pid_t pid;
};

struct lock_table {
    bool known; /* false: there is no such list, nothing can be told */
    struct lock_table_entry *entries;
    size_t count;
};

/* Reads the list as it is now. To be given to lock_table_done() in any case. */
void lock_table_read(struct lock_table *ret_table);
/* The same from an open file, for tests. */
void lock_table_read_from(FILE *in, struct lock_table *ret_table);
void lock_table_done(struct lock_table *table);

/* The process that holds the exclusive flock() on the directory; 0: none, or not known. */
pid_t lock_table_holder(const struct lock_table *table, const char *directory);
/* The same as the list is now, for one directory; -1: there is no list. */
pid_t lock_table_holder_now(const char *directory);
/* The same by what stat() says of the directory. */
pid_t lock_table_holder_of(const struct lock_table *table, dev_t device, uint64_t inode);
