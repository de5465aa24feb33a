#include "finalize/hash/hasher.h"

#include "finalize/base/read_at.h"
#include "finalize/hash/sha256_pair.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
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
    bool closing;
    /* A ring: jobs at [collected, hashed) have their results, those at [hashed, submitted) wait. */
    struct hasher_job jobs[HASHER_MAX_JOBS];
    struct hasher_result results[HASHER_MAX_JOBS];
    unsigned collected, hashed,
        submitted; /* counted on and on; the index is modulo HASHER_MAX_JOBS */
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

static bool is_closing(struct hasher *hasher)
{
    bool closing;

    pthread_mutex_lock(&hasher->lock);
    closing = hasher->closing;
    pthread_mutex_unlock(&hasher->lock);
    return closing;
}

/* Reads a piece of the range; short only at the end of the range. False: the bytes aren't there. */
static bool read_piece(const struct hasher_job *job, uint64_t done, uint8_t *piece,
                       size_t *ret_length, struct hasher_result *result)
{
    uint64_t left = job->length - done;
    size_t wanted = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;
    ssize_t length = read_at(job->fd, piece, wanted, job->offset + done);

    if (length < (ssize_t)wanted) {
        result->read_errno = length < 0 ? errno : 0;
        return false;
    }
    *ret_length = wanted;
    return true;
}

static void begin_result(const struct hasher_job *job, struct hasher_result *result)
{
    *result = (struct hasher_result){.owner = job->owner, .slot = job->slot};
    result->read_errno = ENOTSUP; /* an algorithm is not to be had */
}

static void end_result(const struct lane *lane, struct hasher_result *result)
{
    XXH128_canonical_t canonical;

    XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(lane->xxh));
    memcpy(result->fingerprint, canonical.digest, sizeof result->fingerprint);
    result->read_errno = 0;
    result->whole = true;
}

/* ---- one range -------------------------------------------------------------------------------
 */

static bool begin(struct hasher *hasher, const struct hasher_job *job)
{
    if (XXH3_128bits_reset(hasher->lanes[0].xxh) != XXH_OK)
        return false;
    if (job->wants & HASHER_WANTS_SHA256 && !digest_stream_begin(hasher->sha256))
        return false;
    hasher->md5_runs =
        job->wants & HASHER_WANTS_MD5 && hasher->md5 && digest_stream_begin(hasher->md5);
    return true;
}

static bool update(struct hasher *hasher, const struct hasher_job *job, size_t length)
{
    const struct lane *lane = &hasher->lanes[0];

    if (XXH3_128bits_update(lane->xxh, lane->piece, length) != XXH_OK)
        return false;
    if (job->wants & HASHER_WANTS_SHA256 &&
        !digest_stream_update(hasher->sha256, lane->piece, length))
        return false;
    return !hasher->md5_runs || digest_stream_update(hasher->md5, lane->piece, length);
}

static bool end(struct hasher *hasher, const struct hasher_job *job, struct hasher_result *result)
{
    uint8_t digest[DIGEST_SHA256_BYTES];

    if (job->wants & HASHER_WANTS_SHA256) {
        if (!digest_stream_end(hasher->sha256, digest))
            return false;
        digest_hex(digest, DIGEST_SHA256_BYTES, result->sha256_hex);
    }
    if (hasher->md5_runs) {
        if (!digest_stream_end(hasher->md5, digest))
            return false;
        digest_hex(digest, DIGEST_MD5_BYTES, result->md5_hex);
        digest_md5_base64(digest, result->md5_base64);
    }
    return true;
}

static void hash(struct hasher *hasher, const struct hasher_job *job, struct hasher_result *result)
{
    uint64_t done = 0;
    size_t length;

    begin_result(job, result);
    if (!begin(hasher, job))
        return;
    while (done < job->length) {
        if (!read_piece(job, done, hasher->lanes[0].piece, &length, result))
            return;
        if (!update(hasher, job, length))
            return;
        done += length;
        if (is_closing(hasher)) {
            result->read_errno = ECANCELED;
            return;
        }
    }
    if (end(hasher, job, result))
        end_result(&hasher->lanes[0], result);
}

/* ---- two ranges at once ----------------------------------------------------------------------
 */

static bool make_a_pair(const struct hasher *hasher, const struct hasher_job *first,
                        const struct hasher_job *second)
{
    return hasher->has_pairs && first->wants == HASHER_WANTS_SHA256 &&
           second->wants == HASHER_WANTS_SHA256 && first->length == second->length;
}

/* False when one of the ranges is not whole: each is to be hashed by itself then. */
static bool hash_pair(struct hasher *hasher, const struct hasher_job *const jobs[LANES],
                      struct hasher_result *const results[LANES])
{
    struct lane *lanes = hasher->lanes;
    uint8_t digests[LANES][DIGEST_SHA256_BYTES];
    uint64_t done = 0;
    size_t length = 0;

    for (unsigned i = 0; i < LANES; i++) {
        begin_result(jobs[i], results[i]);
        if (XXH3_128bits_reset(lanes[i].xxh) != XXH_OK)
            return false;
    }
    sha256_pair_begin(&hasher->pair);
    for (; done < jobs[0]->length; done += length) {
        for (unsigned i = 0; i < LANES; i++)
            if (!read_piece(jobs[i], done, lanes[i].piece, &length, results[i]) ||
                XXH3_128bits_update(lanes[i].xxh, lanes[i].piece, length) != XXH_OK)
                return false;
        sha256_pair_update(&hasher->pair, lanes[0].piece, lanes[1].piece, length);
        if (is_closing(hasher))
            return false;
    }
    sha256_pair_end(&hasher->pair, digests[0], digests[1]);
    for (unsigned i = 0; i < LANES; i++) {
        digest_hex(digests[i], DIGEST_SHA256_BYTES, results[i]->sha256_hex);
        end_result(&lanes[i], results[i]);
    }
    return true;
}

/* ---- the thread ------------------------------------------------------------------------------
 */

/* Hashes what is next of the `waiting` jobs; returns how many those were. */
static unsigned hash_next(struct hasher *hasher, unsigned waiting)
{
    struct hasher_job *jobs = hasher->jobs;
    struct hasher_result *results = hasher->results;
    unsigned i = hasher->hashed % HASHER_MAX_JOBS;
    unsigned j = (hasher->hashed + 1) % HASHER_MAX_JOBS;

    if (waiting > 1 && make_a_pair(hasher, &jobs[i], &jobs[j]) &&
        hash_pair(hasher, (const struct hasher_job *const[]){&jobs[i], &jobs[j]},
                  (struct hasher_result *const[]){&results[i], &results[j]}))
        return LANES;
    hash(hasher, &jobs[i], &results[i]);
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
    hasher->wake = wake;
    hasher->wake_context = context;
    hasher->sha256 = digest_stream_open(DIGEST_SHA256);
    hasher->md5 = digest_stream_open(DIGEST_MD5); /* NULL where policy forbids MD5 */
    hasher->has_pairs = sha256_pair_available();
    if (!hasher->sha256 || !open_lanes(hasher)) {
        free_hasher(hasher);
        return error_set(err, ERROR_TRANSIENT, "no memory for hashing, or no SHA-256 in OpenSSL");
    }
    pthread_mutex_init(&hasher->lock, NULL);
    pthread_cond_init(&hasher->work_to_do, NULL);
    failure = start_thread(hasher);
    if (failure) {
        pthread_cond_destroy(&hasher->work_to_do);
        pthread_mutex_destroy(&hasher->lock);
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
    pthread_cond_destroy(&hasher->work_to_do);
    pthread_mutex_destroy(&hasher->lock);
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

unsigned hasher_pending(const struct hasher *hasher)
{
    /* `submitted` and `collected` are changed by the calling thread alone */
    return hasher->submitted - hasher->collected;
}
