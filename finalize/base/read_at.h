/*
 * read_at - bytes of a file at a place: the one loop over pread(), and that over pwrite().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Reads `length` bytes at `offset`, fewer only where the file ends. -1 and errno (never EINTR). */
ssize_t read_at(int fd, void *bytes, size_t length, uint64_t offset);

/* Writes all bytes. False and errno (never EINTR); a part may be written then. */
bool write_at(int fd, const void *bytes, size_t length, uint64_t offset);
