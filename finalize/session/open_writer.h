/*
 * open_writer - whether a process has a file of a session open for writing: Jibri, most likely.
 */
#pragma once

enum open_writer {
    OPEN_WRITER_NONE,
    OPEN_WRITER_THERE,
    OPEN_WRITER_UNKNOWN /* on file systems without leases, on NFS and SMB, and for files of other
                           users */
};

/* Of all files in the session directory and below: THERE when one of them has a writer, else
 * UNKNOWN when that can't be told of one. */
enum open_writer open_writer_in(const char *directory);
