#include "finalize/hash/hasher.h"

#include "finalize/base/read_at.h"
#include "finalize/hash/sha256_pair.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef HAVE_XXH_DISPATCH
#include <xxh_x86dispatch.h> /* the same, by the widest registers that this machine has */
#else
#include <xxhash.h>
#endif

#define PIECE_BYTES (128u * 1024)
#define LANES       2u

/* One range on its way through. */
struct lane {
    XXH3_state_t *xxh;
    uint8_t *piece;
};

struct hasher {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t work_to_do;
    atomic_bool closing;
    /* A ring: jobs at [collected, hashed) have their results, those at [hashed, submitted) wait.
     * The three count on and on; an index is modulo HASHER_MAX_JOBS. */
    struct hasher_job jobs[HASHER_MAX_JOBS];
    struct hasher_result results[HASHER_MAX_JOBS];
    unsigned collected, hashed, submitted;
    void (*wake)(void *context);
    void *wake_context;
    /* Used by the thread alone. */
    struct lane lanes[LANES];
    struct digest_stream *sha256;
    struct digest_stream *md5;
    bool md5_runs; /* wanted of this job, and to be had */
    bool has_pairs;
    struct sha256_pair pair;
};

/* ---- ranges ---------------------------------------------------------------------------------- */

/* SHA-256 of one range, or of two at once; MD5 of one. */
static bool digests_begin(struct hasher *hasher, unsigned ranges, unsigned wants)
{
    hasher->md5_runs = wants & HASHER_WANTS_MD5 && hasher->md5 && digest_stream_begin(hasher->md5);
    if (ranges == LANES)
        sha256_pair_begin(&hasher->pair);
    return ranges == LANES || !(wants & HASHER_WANTS_SHA256) || digest_stream_begin(hasher->sha256);
}

static bool digests_update(struct hasher *hasher, unsigned ranges, unsigned wants, size_t length)
{
    const struct lane *lanes = hasher->lanes;

    for (unsigned i = 0; i < ranges; i++)
        if (XXH3_128bits_update(lanes[i].xxh, lanes[i].piece, length) != XXH_OK)
            return false;
    if (ranges == LANES)
        sha256_pair_update(&hasher->pair, lanes[0].piece, lanes[1].piece, length);
    else if (wants & HASHER_WANTS_SHA256 &&
             !digest_stream_update(hasher->sha256, lanes->piece, length))
        return false;
    return !hasher->md5_runs || digest_stream_update(hasher->md5, lanes->piece, length);
}

static bool digests_end(struct hasher *hasher, unsigned ranges, unsigned wants,
                        struct hasher_result *const results[LANES])
{
    uint8_t sha256[LANES][DIGEST_SHA256_BYTES], md5[DIGEST_MD5_BYTES];
    XXH128_canonical_t canonical;

    if (ranges == LANES)
        sha256_pair_end(&hasher->pair, sha256[0], sha256[1]);
    else if (wants & HASHER_WANTS_SHA256 && !digest_stream_end(hasher->sha256, sha256[0]))
        return false;
    if (hasher->md5_runs) {
        if (!digest_stream_end(hasher->md5, md5))
            return false;
        digest_hex(md5, DIGEST_MD5_BYTES, results[0]->md5_hex);
        digest_md5_base64(md5, results[0]->md5_base64);
    }
    for (unsigned i = 0; i < ranges; i++) {
        if (wants & HASHER_WANTS_SHA256)
            digest_hex(sha256[i], DIGEST_SHA256_BYTES, results[i]->sha256_hex);
        XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(hasher->lanes[i].xxh));
        memcpy(results[i]->fingerprint, canonical.digest, sizeof results[i]->fingerprint);
        results[i]->read_errno = 0;
        results[i]->whole = true;
    }
    return true;
}

/* The next piece of the range. False: the bytes aren't there. */
static bool read_piece(const struct hasher_job *job, uint64_t done, uint8_t *piece, size_t length,
                       struct hasher_result *result)
{
    ssize_t got = read_at(job->fd, piece, length, job->offset + done);

    if (got < (ssize_t)length)
        result->read_errno = got < 0 ? errno : 0;
    return got == (ssize_t)length;
}

/* Hashes the ranges of one job, or of two that want the same and are as long. False when one of
 * them is not whole, or the hasher is closing. */
static bool hash(struct hasher *hasher, unsigned ranges, const struct hasher_job *const jobs[LANES],
                 struct hasher_result *const results[LANES])
{
    unsigned wants = jobs[0]->wants;
    uint64_t length = jobs[0]->length;

    for (unsigned i = 0; i < ranges; i++) {
        *results[i] = (struct hasher_result){
            .owner = jobs[i]->owner,
            .slot = jobs[i]->slot,
            .read_errno = ENOTSUP, /* unless it is told otherwise, an algorithm is not to be had */
        };
        if (XXH3_128bits_reset(hasher->lanes[i].xxh) != XXH_OK)
            return false;
    }
    if (!digests_begin(hasher, ranges, wants))
        return false;
    for (uint64_t done = 0; done < length;) {
        size_t piece = length - done < PIECE_BYTES ? (size_t)(length - done) : PIECE_BYTES;

        for (unsigned i = 0; i < ranges; i++)
            if (!read_piece(jobs[i], done, hasher->lanes[i].piece, piece, results[i]))
                return false;
        if (!digests_update(hasher, ranges, wants, piece) || hasher->closing)
            return false;
        done += piece;
    }
    return digests_end(hasher, ranges, wants, results);
}

/* ---- the thread ----------------------------------------------------------------------------- */

static bool make_a_pair(const struct hasher *hasher, const struct hasher_job *const jobs[LANES])
{
    return hasher->has_pairs && jobs[0]->wants == HASHER_WANTS_SHA256 &&
           jobs[1]->wants == HASHER_WANTS_SHA256 && jobs[0]->length == jobs[1]->length;
}

/* Hashes what is next of the `waiting` jobs; returns how many those were. */
static unsigned hash_next(struct hasher *hasher, unsigned waiting)
{
    unsigned first = hasher->hashed % HASHER_MAX_JOBS;
    unsigned second = (hasher->hashed + 1) % HASHER_MAX_JOBS;
    const struct hasher_job *const jobs[LANES] = {&hasher->jobs[first], &hasher->jobs[second]};
    struct hasher_result *const results[LANES] = {&hasher->results[first],
                                                  &hasher->results[second]};

    /* When one of two is not whole, each is hashed by itself. */
    if (waiting > 1 && make_a_pair(hasher, jobs) && hash(hasher, LANES, jobs, results))
        return LANES;
    (void)hash(hasher, 1, jobs, results);
    return 1;
}

static void *work(void *context)
{
    struct hasher *hasher = context;

    pthread_mutex_lock(&hasher->lock);
    while (!hasher->closing) {
        unsigned waiting = hasher->submitted - hasher->hashed;

        if (!waiting) {
            pthread_cond_wait(&hasher->work_to_do, &hasher->lock);
            continue;
        }
        /* The ring's entries are ours until `hashed` moves past them. */
        pthread_mutex_unlock(&hasher->lock);
        waiting = hash_next(hasher, waiting);
        pthread_mutex_lock(&hasher->lock);
        for (; waiting; waiting--) {
            hasher->hashed++;
            hasher->wake(hasher->wake_context);
        }
    }
    pthread_mutex_unlock(&hasher->lock);
    return NULL;
}

/* Signals are the main thread's: none may interrupt a read of this one. */
static int start_thread(struct hasher *hasher)
{
    sigset_t all, before;
    int failure;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    failure = pthread_create(&hasher->thread, NULL, work, hasher);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failure;
}

static void free_hasher(struct hasher *hasher)
{
    pthread_cond_destroy(&hasher->work_to_do);
    pthread_mutex_destroy(&hasher->lock);
    digest_stream_close(hasher->sha256);
    digest_stream_close(hasher->md5);
    for (unsigned i = 0; i < LANES; i++) {
        XXH3_freeState(hasher->lanes[i].xxh);
        free(hasher->lanes[i].piece);
    }
    free(hasher);
}

static bool open_lanes(struct hasher *hasher)
{
    for (unsigned i = 0; i < LANES; i++) {
        hasher->lanes[i].xxh = XXH3_createState();
        hasher->lanes[i].piece = malloc(PIECE_BYTES);
        if (!hasher->lanes[i].xxh || !hasher->lanes[i].piece)
            return false;
    }
    return true;
}

bool hasher_open(void (*wake)(void *context), void *context, struct hasher **ret_hasher,
                 struct error *err)
{
    struct hasher *hasher = calloc(1, sizeof *hasher);
    int failure;

    if (!hasher)
        return error_set(err, ERROR_TRANSIENT, "no memory for hashing");
    pthread_mutex_init(&hasher->lock, NULL);
    pthread_cond_init(&hasher->work_to_do, NULL);
    hasher->wake = wake;
    hasher->wake_context = context;
    hasher->sha256 = digest_stream_open(DIGEST_SHA256);
    hasher->md5 = digest_stream_open(DIGEST_MD5); /* NULL where policy forbids MD5 */
    hasher->has_pairs = sha256_pair_available();
    if (!hasher->sha256 || !open_lanes(hasher)) {
        free_hasher(hasher);
        return error_set(err, ERROR_TRANSIENT, "no memory for hashing, or no SHA-256 in OpenSSL");
    }
    failure = start_thread(hasher);
    if (failure) {
        free_hasher(hasher);
        return error_set_errno(err, ERROR_TRANSIENT, failure, "cannot start the hashing thread");
    }
    *ret_hasher = hasher;
    return true;
}

void hasher_close(struct hasher *hasher)
{
    if (!hasher)
        return;
    pthread_mutex_lock(&hasher->lock);
    hasher->closing = true;
    pthread_cond_signal(&hasher->work_to_do);
    pthread_mutex_unlock(&hasher->lock);
    pthread_join(hasher->thread, NULL);
    free_hasher(hasher);
}

bool hasher_submit(struct hasher *hasher, const struct hasher_job *job)
{
    bool room;

    pthread_mutex_lock(&hasher->lock);
    room = hasher->submitted - hasher->collected < HASHER_MAX_JOBS;
    if (room) {
        hasher->jobs[hasher->submitted % HASHER_MAX_JOBS] = *job;
        hasher->submitted++;
        pthread_cond_signal(&hasher->work_to_do);
    }
    pthread_mutex_unlock(&hasher->lock);
    return room;
}

bool hasher_collect(struct hasher *hasher, struct hasher_result *ret_result)
{
    bool found;

    pthread_mutex_lock(&hasher->lock);
    found = hasher->collected != hasher->hashed;
    if (found)
        *ret_result = hasher->results[hasher->collected++ % HASHER_MAX_JOBS];
    pthread_mutex_unlock(&hasher->lock);
    return found;
}
