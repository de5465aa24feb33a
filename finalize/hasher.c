#include "finalize/hasher.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#define PIECE_BYTES (128u * 1024)

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
    struct digest_stream *sha256;
    struct digest_stream *md5;
    bool md5_runs; /* wanted of this job, and to be had */
    XXH3_state_t *xxh;
    uint8_t *piece;
};

static bool is_closing(struct hasher *hasher)
{
    bool closing;

    pthread_mutex_lock(&hasher->lock);
    closing = hasher->closing;
    pthread_mutex_unlock(&hasher->lock);
    return closing;
}

static bool begin(struct hasher *hasher, const struct hasher_job *job)
{
    if (XXH3_128bits_reset(hasher->xxh) != XXH_OK)
        return false;
    if (job->wants & HASHER_WANTS_SHA256 && !digest_stream_begin(hasher->sha256))
        return false;
    hasher->md5_runs =
        job->wants & HASHER_WANTS_MD5 && hasher->md5 && digest_stream_begin(hasher->md5);
    return true;
}

static bool update(struct hasher *hasher, const struct hasher_job *job, size_t length)
{
    if (XXH3_128bits_update(hasher->xxh, hasher->piece, length) != XXH_OK)
        return false;
    if (job->wants & HASHER_WANTS_SHA256 &&
        !digest_stream_update(hasher->sha256, hasher->piece, length))
        return false;
    return !hasher->md5_runs || digest_stream_update(hasher->md5, hasher->piece, length);
}

static bool end(struct hasher *hasher, const struct hasher_job *job, struct hasher_result *result)
{
    XXH128_canonical_t canonical;
    uint8_t digest[DIGEST_SHA256_BYTES];

    XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(hasher->xxh));
    memcpy(result->fingerprint, canonical.digest, sizeof result->fingerprint);
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

    *result = (struct hasher_result){.owner = job->owner, .slot = job->slot};
    result->read_errno = ENOTSUP; /* an algorithm is not to be had */
    if (!begin(hasher, job))
        return;
    while (done < job->length) {
        uint64_t left = job->length - done;
        ssize_t got = pread(job->fd, hasher->piece, left < PIECE_BYTES ? (size_t)left : PIECE_BYTES,
                            (off_t)(job->offset + done));

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            result->read_errno = got < 0 ? errno : 0;
            return;
        }
        if (!update(hasher, job, (size_t)got))
            return;
        done += (uint64_t)got;
        if (is_closing(hasher)) {
            result->read_errno = ECANCELED;
            return;
        }
    }
    if (!end(hasher, job, result))
        return;
    result->read_errno = 0;
    result->whole = true;
}

static void *work(void *context)
{
    struct hasher *hasher = context;

    pthread_mutex_lock(&hasher->lock);
    for (;;) {
        unsigned index = hasher->hashed % HASHER_MAX_JOBS;

        if (hasher->closing)
            break;
        if (hasher->hashed == hasher->submitted) {
            pthread_cond_wait(&hasher->work_to_do, &hasher->lock);
            continue;
        }
        /* The ring's entry is ours until `hashed` moves past it. */
        pthread_mutex_unlock(&hasher->lock);
        hash(hasher, &hasher->jobs[index], &hasher->results[index]);
        pthread_mutex_lock(&hasher->lock);
        hasher->hashed++;
        hasher->wake(hasher->wake_context);
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
    XXH3_freeState(hasher->xxh);
    free(hasher->piece);
    free(hasher);
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
    hasher->xxh = XXH3_createState();
    hasher->piece = malloc(PIECE_BYTES);
    if (!hasher->sha256 || !hasher->xxh || !hasher->piece) {
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
