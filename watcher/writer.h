/*
 * writer - whether a file is open for writing somewhere.
 */
#ifndef WATCHER_WRITER_H
#define WATCHER_WRITER_H

#include "watcher/policy.h"

/*
 * `fd`: the file, opened for reading only. Asks the kernel for a read lease, which it gives only
 * while nobody has the file open for writing (fcntl(2), F_SETLEASE), and gives it back at once.
 * UNKNOWN on file systems without leases, and for files of other users. SIGIO is to be ignored by
 * the process.
 */
enum policy_writer writer_of(int fd);

#endif
