#include "finalize/hash/digest.h"

#include "tests/unit/unit.h"

#include <check.h>
#include <string.h>

static const struct {
    const char *text, *sha256, *md5, *md5_base64;
} vectors[] = {
    {"", DIGEST_SHA256_EMPTY, "d41d8cd98f00b204e9800998ecf8427e", "1B2M2Y8AsgTpgAmY7PhCfg=="},
    {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
     "900150983cd24fb0d6963f7d28e17f72", "kAFQmDzST7DWlj99KOF/cg=="},
    {"Welcome to Amazon S3.", "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
     NULL, NULL},
};

START_TEST(known_texts_have_their_known_digests)
{
    uint8_t digest[DIGEST_SHA256_BYTES];
    char hex[DIGEST_SHA256_HEX], base64[DIGEST_MD5_BASE64];
    const char *text = vectors[_i].text;

    ck_assert(digest_sha256(text, strlen(text), digest));
    digest_hex(digest, sizeof digest, hex);
    ck_assert_str_eq(hex, vectors[_i].sha256);
    if (!vectors[_i].md5 || !digest_md5(text, strlen(text), digest))
        return; /* OpenSSL may have been built or set up without MD5 */
    digest_hex(digest, DIGEST_MD5_BYTES, hex);
    ck_assert_str_eq(hex, vectors[_i].md5);
    digest_md5_base64(digest, base64);
    ck_assert_str_eq(base64, vectors[_i].md5_base64);
}
END_TEST

/* RFC 4231, cases 1, 2 and 6 (a key longer than a block). */
START_TEST(hmac_follows_rfc_4231)
{
    uint8_t long_key[131], digest[DIGEST_SHA256_BYTES];
    char hex[DIGEST_SHA256_HEX];
    const struct {
        const void *key;
        size_t key_length;
        const char *text, *hmac;
    } cases[] = {
        {"\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b", 20,
         "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {"Jefe", 4, "what do ya want for nothing?",
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {long_key, sizeof long_key, "Test Using Larger Than Block-Size Key - Hash Key First",
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
        {"", 0, "", "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"},
    };

    memset(long_key, 0xaa, sizeof long_key);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert(digest_hmac_sha256(cases[i].key, cases[i].key_length, cases[i].text,
                                     strlen(cases[i].text), digest));
        digest_hex(digest, sizeof digest, hex);
        ck_assert_str_eq(hex, cases[i].hmac);
    }
}
END_TEST

START_TEST(a_stream_gives_the_same_digest_in_any_pieces_and_again)
{
    static uint8_t bytes[10000];
    struct digest_stream *stream = digest_stream_open(DIGEST_SHA256);
    uint8_t expected[DIGEST_SHA256_BYTES], digest[DIGEST_SHA256_BYTES];
    const size_t pieces[] = {1, 63, 64, 65, 4096, sizeof bytes};

    ck_assert_ptr_nonnull(stream);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 31);
    ck_assert(digest_sha256(bytes, sizeof bytes, expected));
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        ck_assert(digest_stream_begin(stream));
        for (size_t at = 0; at < sizeof bytes; at += pieces[i]) {
            size_t left = sizeof bytes - at;

            ck_assert(
                digest_stream_update(stream, bytes + at, left < pieces[i] ? left : pieces[i]));
        }
        ck_assert(digest_stream_end(stream, digest));
        ck_assert_mem_eq(digest, expected, sizeof digest);
    }
    digest_stream_close(stream);
}
END_TEST

START_TEST(a_stream_begun_anew_forgets_what_it_was_fed)
{
    struct digest_stream *stream = digest_stream_open(DIGEST_SHA256);
    uint8_t digest[DIGEST_SHA256_BYTES];
    char hex[DIGEST_SHA256_HEX];

    ck_assert_ptr_nonnull(stream);
    ck_assert(digest_stream_begin(stream));
    ck_assert(digest_stream_update(stream, "half of it", 10));
    ck_assert(digest_stream_begin(stream));
    ck_assert(digest_stream_update(stream, "", 0));
    ck_assert(digest_stream_end(stream, digest));
    digest_hex(digest, sizeof digest, hex);
    ck_assert_str_eq(hex, DIGEST_SHA256_EMPTY);
    digest_stream_close(stream);
    digest_stream_close(NULL);
}
END_TEST

START_TEST(an_md5_stream_gives_md5_where_there_is_md5)
{
    struct digest_stream *stream = digest_stream_open(DIGEST_MD5);
    uint8_t digest[DIGEST_MD5_BYTES];
    char hex[DIGEST_MD5_HEX];

    if (!stream)
        return;
    ck_assert(digest_stream_begin(stream));
    ck_assert(digest_stream_update(stream, "ab", 2));
    ck_assert(digest_stream_update(stream, "c", 1));
    ck_assert(digest_stream_end(stream, digest));
    digest_hex(digest, sizeof digest, hex);
    ck_assert_str_eq(hex, "900150983cd24fb0d6963f7d28e17f72");
    digest_stream_close(stream);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("digest");
    TCase *tests = tcase_create("digest");

    tcase_add_loop_test(tests, known_texts_have_their_known_digests, 0,
                        sizeof vectors / sizeof *vectors);
    tcase_add_test(tests, hmac_follows_rfc_4231);
    tcase_add_test(tests, a_stream_gives_the_same_digest_in_any_pieces_and_again);
    tcase_add_test(tests, a_stream_begun_anew_forgets_what_it_was_fed);
    tcase_add_test(tests, an_md5_stream_gives_md5_where_there_is_md5);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
