/*
 * open_writer - whether somebody has a file open for writing: Jibri, most likely.
 */
#ifndef FINALIZE_OPEN_WRITER_H
#define FINALIZE_OPEN_WRITER_H

#include <stdbool.h>

/*
 * `fd`: the file, opened for reading only. The kernel gives a read lease only while nobody has the
 * file open for writing; it is given back at once. False also where there are no leases, and for
 * files of other users.
 */
bool open_writer_has(int fd);

/* The same for each media file directly in the directory. */
bool open_writer_in(const char *directory);

#endif
