#include "finalize/hash/sha256_pair.h"

#include <assert.h>
#include <string.h>

#define LENGTH_BYTES 8u /* of a stream's length in bits, at its very end */

static const uint32_t first_state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                        0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

#ifdef __x86_64__

#include <cpuid.h>
#include <immintrin.h>

#define SHA_NI __attribute__((target("sha,sse4.1")))

static const uint32_t round_constants[64] __attribute__((aligned(16))) = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

bool sha256_pair_available(void)
{
    unsigned a, b, c, d, sse41, ssse3;

    if (!__get_cpuid(1, &a, &b, &c, &d))
        return false;
    sse41 = c & bit_SSE4_1;
    ssse3 = c & bit_SSSE3;
    return sse41 && ssse3 && __get_cpuid_count(7, 0, &a, &b, &c, &d) && b & bit_SHA;
}

/* What the instructions work on: the state as (a, b, e, f) and (c, d, g, h), high words first. */
struct lane {
    __m128i abef, cdgh;
    __m128i words[4]; /* of the message: the sixteen that come next */
};

SHA_NI static inline void load_state(struct lane *lane, const uint32_t state[8])
{
    __m128i abcd = _mm_loadu_si128((const __m128i *)(const void *)state);
    __m128i efgh = _mm_loadu_si128((const __m128i *)(const void *)(state + 4));
    __m128i badc = _mm_shuffle_epi32(abcd, 0xb1);
    __m128i hgfe = _mm_shuffle_epi32(efgh, 0x1b);

    lane->abef = _mm_alignr_epi8(badc, hgfe, 8);
    lane->cdgh = _mm_blend_epi16(hgfe, badc, 0xf0);
}

SHA_NI static inline void store_state(const struct lane *lane, uint32_t state[8])
{
    __m128i feba = _mm_shuffle_epi32(lane->abef, 0x1b);
    __m128i dchg = _mm_shuffle_epi32(lane->cdgh, 0xb1);

    _mm_storeu_si128((__m128i *)(void *)state, _mm_blend_epi16(feba, dchg, 0xf0));
    _mm_storeu_si128((__m128i *)(void *)(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}

SHA_NI static inline void load_words(struct lane *lane, const uint8_t *block)
{
    const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);

    for (unsigned i = 0; i < 4; i++)
        lane->words[i] = _mm_shuffle_epi8(
            _mm_loadu_si128((const __m128i *)(const void *)(block + 16 * i)), big_endian);
}

/* Rounds 4 * `four` and the three after it. */
SHA_NI static inline void four_rounds(struct lane *lane, unsigned four)
{
    __m128i sum = _mm_add_epi32(
        lane->words[four % 4],
        _mm_load_si128((const __m128i *)(const void *)(round_constants + (size_t)4 * four)));

    lane->cdgh = _mm_sha256rnds2_epu32(lane->cdgh, lane->abef, sum);
    lane->abef = _mm_sha256rnds2_epu32(lane->abef, lane->cdgh, _mm_shuffle_epi32(sum, 0x0e));
}

/* The four words of the message that are sixteen after those of these rounds, in their place. */
SHA_NI static inline void next_words(struct lane *lane, unsigned four)
{
    __m128i *word = &lane->words[four % 4];
    __m128i last = lane->words[(four + 3) % 4];
    __m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(*word, lane->words[(four + 1) % 4]),
                                _mm_alignr_epi8(last, lane->words[(four + 2) % 4], 4));

    *word = _mm_sha256msg2_epu32(sum, last);
}

SHA_NI static void compress(uint32_t first_of[8], const uint8_t *first, uint32_t second_of[8],
                            const uint8_t *second, size_t blocks)
{
    struct lane a, b;

    load_state(&a, first_of);
    load_state(&b, second_of);
    for (; blocks; blocks--, first += SHA256_PAIR_BLOCK, second += SHA256_PAIR_BLOCK) {
        const struct lane a_before = a, b_before = b;

        load_words(&a, first);
        load_words(&b, second);
#ifdef __clang__
#pragma clang loop unroll(full)
#else
#pragma GCC unroll 16
#endif
        for (unsigned four = 0; four < 16; four++) {
            four_rounds(&a, four);
            four_rounds(&b, four);
            if (four < 12) {
                next_words(&a, four);
                next_words(&b, four);
            }
        }
        a.abef = _mm_add_epi32(a.abef, a_before.abef);
        a.cdgh = _mm_add_epi32(a.cdgh, a_before.cdgh);
        b.abef = _mm_add_epi32(b.abef, b_before.abef);
        b.cdgh = _mm_add_epi32(b.cdgh, b_before.cdgh);
    }
    store_state(&a, first_of);
    store_state(&b, second_of);
}

#else

bool sha256_pair_available(void)
{
    return false;
}

static void compress(uint32_t first_of[8], const uint8_t *first, uint32_t second_of[8],
                     const uint8_t *second, size_t blocks)
{
    (void)first_of, (void)first, (void)second_of, (void)second, (void)blocks;
    assert(0 && "sha256_pair_available() said that it can't be done");
}

#endif

void sha256_pair_begin(struct sha256_pair *pair)
{
    memcpy(pair->state[0], first_state, sizeof first_state);
    memcpy(pair->state[1], first_state, sizeof first_state);
    pair->rest_length = 0;
    pair->length = 0;
}

void sha256_pair_update(struct sha256_pair *pair, const uint8_t *first, const uint8_t *second,
                        size_t length)
{
    size_t blocks = length / SHA256_PAIR_BLOCK;
    size_t whole = blocks * SHA256_PAIR_BLOCK;

    assert(!pair->rest_length);
    compress(pair->state[0], first, pair->state[1], second, blocks);
    pair->rest_length = length - whole;
    memcpy(pair->rest[0], first + whole, pair->rest_length);
    memcpy(pair->rest[1], second + whole, pair->rest_length);
    pair->length += length;
}

/* A stream's end: a bit that is set, zeros, and the length in bits; one block or two. */
static size_t write_end(const struct sha256_pair *pair, unsigned which,
                        uint8_t end[2 * SHA256_PAIR_BLOCK])
{
    size_t blocks = pair->rest_length < SHA256_PAIR_BLOCK - LENGTH_BYTES ? 1 : 2;
    uint64_t bits = pair->length * 8;

    memset(end, 0, (size_t)2 * SHA256_PAIR_BLOCK);
    memcpy(end, pair->rest[which], pair->rest_length);
    end[pair->rest_length] = 0x80;
    for (size_t i = 1; i <= LENGTH_BYTES; i++, bits >>= 8)
        end[blocks * SHA256_PAIR_BLOCK - i] = (uint8_t)bits;
    return blocks;
}

static void write_digest(const uint32_t state[8], uint8_t *ret_digest)
{
    for (size_t i = 0; i < DIGEST_SHA256_BYTES; i++)
        ret_digest[i] = (uint8_t)(state[i / 4] >> (24 - 8 * (i % 4)));
}

void sha256_pair_end(struct sha256_pair *pair, uint8_t ret_first[DIGEST_SHA256_BYTES],
                     uint8_t ret_second[DIGEST_SHA256_BYTES])
{
    uint8_t first[2 * SHA256_PAIR_BLOCK], second[2 * SHA256_PAIR_BLOCK];
    size_t blocks = write_end(pair, 0, first);

    (void)write_end(pair, 1, second); /* as many: both streams have the same length */
    compress(pair->state[0], first, pair->state[1], second, blocks);
    write_digest(pair->state[0], ret_first);
    write_digest(pair->state[1], ret_second);
}
