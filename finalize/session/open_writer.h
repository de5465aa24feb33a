/*
 * open_writer - whether somebody has a file open for writing: Jibri, most likely.
 */
#ifndef FINALIZE_OPEN_WRITER_H
#define FINALIZE_OPEN_WRITER_H

enum open_writer {
    OPEN_WRITER_NONE,
    OPEN_WRITER_THERE,
    OPEN_WRITER_UNKNOWN /* on file systems without leases, on NFS and SMB, and for files of other
                           users */
};

/*
 * `fd`: the file, opened for reading only. The kernel gives a read lease only while nobody has the
 * file open for writing (fcntl(2), F_SETLEASE); it is given back at once. NFS and SMB refuse it for
 * reasons of their own as well.
 */
enum open_writer open_writer_of(int fd);

/* The same for the media files directly in the directory: THERE when one of them has a writer,
 * UNKNOWN when that can't be told of one. */
enum open_writer open_writer_in(const char *directory);

#endif
