/*
 * hasher - digests of file ranges, computed by a thread of its own.
 *
 * Hashing runs on one core while the loop sends on another, two ranges of the same length at once
 * where they wait and the machine can (sha256_pair.h). Reads in pieces of 128 KiB: memory does not
 * depend on the length of a range. The only file that includes xxhash.h and pthread.h.
 */
#pragma once

#include "finalize/base/error.h"
#include "finalize/hash/digest.h"

#include <stdbool.h>
#include <stdint.h>

/* The fingerprint is always computed; these cost more. */
enum hasher_wants { HASHER_WANTS_SHA256 = 1, HASHER_WANTS_MD5 = 2 };

struct hasher_job {
    int fd; /* borrowed, open until the result was collected */
    uint64_t offset;
    uint64_t length;
    unsigned wants;
    void *owner;   /* handed back with the result */
    unsigned slot; /* likewise */
};

struct hasher_result {
    void *owner;
    unsigned slot;
    bool whole;              /* all bytes were there; else the file is shorter, or unreadable */
    int read_errno;          /* when not whole: why reading failed, 0: end of file */
    uint8_t fingerprint[16]; /* XXH3-128 */
    char sha256_hex[DIGEST_SHA256_HEX]; /* "" unless asked for */
    char md5_hex[DIGEST_MD5_HEX];       /* likewise; also "" where policy forbids MD5 (FIPS) */
    char md5_base64[DIGEST_MD5_BASE64]; /* likewise */
};

struct hasher;

#define HASHER_MAX_JOBS 1024u /* submitted and not yet collected */

/* Starts the thread. `wake` is called by that thread after each result. ERROR_TRANSIENT. */
bool hasher_open(void (*wake)(void *context), void *context, struct hasher **ret_hasher,
                 struct error *err) __attribute__((warn_unused_result));

/* Gives up what is under way, waits for the thread (a few reads of 128 KiB) and frees all. */
void hasher_close(struct hasher *hasher);

/* False when HASHER_MAX_JOBS are under way already. */
bool hasher_submit(struct hasher *hasher, const struct hasher_job *job)
    __attribute__((warn_unused_result));

/* Fetches the next result, in the order of submission; false when there is none yet. */
bool hasher_collect(struct hasher *hasher, struct hasher_result *ret_result);
