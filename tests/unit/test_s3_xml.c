#include "finalize/s3/s3_xml.h"

#include "finalize/s3/s3_limits.h"

#include "tests/unit/unit.h"

#include <check.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DECLARATION "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
#define NAMESPACE   " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\""

static bool read_error(const char *xml, struct s3_xml_error *ret_error)
{
    return s3_xml_read_error(xml, strlen(xml), ret_error);
}

static bool read_parts(const char *xml, struct s3_xml_listing *ret_listing)
{
    return s3_xml_read_parts(xml, strlen(xml), ret_listing);
}

static bool read_uploads(const char *xml, struct s3_xml_listing *ret_listing)
{
    return s3_xml_read_uploads(xml, strlen(xml), ret_listing);
}

START_TEST(an_error_is_read)
{
    struct s3_xml_error error;

    ck_assert(read_error(DECLARATION
                         "<Error><Code>AuthorizationHeaderMalformed</Code><Message>The region "
                         "'a' is &lt;wrong&gt;;\n expecting &#39;b&#39;</Message>"
                         "<Region>eu-central-1</Region><RequestId>tx01</RequestId>"
                         "<Endpoint>s3.example.org</Endpoint><HostId>x</HostId></Error>",
                         &error));
    ck_assert_str_eq(error.code, "AuthorizationHeaderMalformed");
    ck_assert_str_eq(error.message, "The region 'a' is <wrong>;  expecting 'b'");
    ck_assert_str_eq(error.region, "eu-central-1");
    ck_assert_str_eq(error.endpoint, "s3.example.org");
    ck_assert_str_eq(error.request_id, "tx01");
}
END_TEST

START_TEST(texts_of_an_error_are_one_line)
{
    struct s3_xml_error error;

    ck_assert(read_error("<Error><Code>\x7fSlow&#127;Down\n</Code><Message>a\r\n\tb&#13;\x7f"
                         "c</Message><Region>&#9;r</Region></Error>",
                         &error));
    ck_assert_str_eq(error.code, "Slow Down");
    ck_assert_str_eq(error.message, "a  b  c");
    ck_assert_str_eq(error.region, "r");
}
END_TEST

static const char *const error_codes[] = {
    "<Error><Code>X</Code></Error>",
    "<Error><Code>X</Code><Message/></Error>",
    "<Error><Code>X</Code><Message></Message></Error>",
    " \n\t\r\n<Error><Code> X\n</Code></Error>\n",
    "\n\n" DECLARATION "<Error><Code>X</Code></Error>",
    DECLARATION "\n\n  \n<Error><Code>X</Code></Error>",
    "\xef\xbb\xbf<Error><Code>X</Code></Error>",
    "<Error" NAMESPACE "><Code>X</Code></Error>",
    "<s:Error xmlns:s=\"urn:x\"><s:Code>X</s:Code></s:Error>",
    "<Error><Code><![CDATA[X]]></Code></Error>",
    "<Error><Code>&#88;</Code></Error>",
    "<Error><!-- <Code>Y</Code> --><Code>X</Code></Error>",
    "<?xml-stylesheet href=\"x\"?><Error a=\"b\"><Code>X</Code></Error>",
    "<Error><Details><Code>Y</Code></Details><Code>X<b>Y</b></Code></Error>",
    "<?xml version=\"1.0\" encoding=\"no-such-encoding\"?><Error><Code>X</Code></Error>",
    "<?xml version='1.0' encoding='ISO-8859-1'?><Error><Code>X</Code></Error>",
};

START_TEST(errors_of_any_form_are_read)
{
    struct s3_xml_error error;

    ck_assert_msg(read_error(error_codes[_i], &error), "%s", error_codes[_i]);
    ck_assert_msg(!strcmp(error.code, "X"), "%s: %s", error_codes[_i], error.code);
    ck_assert_str_eq(error.message, "");
}
END_TEST

#define LAUGHS                                                                                     \
    "<!DOCTYPE Error [<!ENTITY a \"lol\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\">"           \
    "<!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;\"><!ENTITY d \"&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;\">" \
    "<!ENTITY e \"&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;\"><!ENTITY f \"&e;&e;&e;&e;&e;&e;&e;&e;&e;&e;\">" \
    "<!ENTITY g \"&f;&f;&f;&f;&f;&f;&f;&f;&f;&f;\"><!ENTITY h "                                    \
    "\"&g;&g;&g;&g;&g;&g;&g;&g;&g;&g;\">]>"

static const char *const not_errors[] = {
    "",
    " ",
    "x",
    "<",
    "<Error>",
    "<Error><Code>X</Code>",
    "<Error><Code>X</Code></Erro",
    "<Error><Code>X</Error></Code>",
    "<Error><Code>X</Code></Error><Error/>",
    "<Error><Code>X</Code></Error>x",
    "<Error><Code>X & Y</Code></Error>",
    "<Error><Code>&undefined;</Code></Error>",
    "<Error><Code\x01>X</Code></Error>",
    "<Error><Code>&#xd800;</Code></Error>",
    "<Error><Code>&#x110000;</Code></Error>",
    "<Error><Code>&#0;</Code></Error>",
    "<Error><Code>X\xff</Code></Error>",
    "<Error><Code>\xc0\x80</Code></Error>",
    "<error><Code>X</Code></error>",
    "<ErrorResponse><Error><Code>X</Code></Error></ErrorResponse>",
    "<html><body><h1>502 Bad Gateway</h1></body></html>",
    "<!DOCTYPE html><html><body>Sign in</body></html>",
    "<!DOCTYPE Error><Error><Code>X</Code></Error>",
    "<!DOCTYPE Error SYSTEM \"file:///etc/passwd\"><Error><Code>X</Code></Error>",
    "<!DOCTYPE Error [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><Error><Code>&x;</Code></Error>",
    "<!DOCTYPE Error [<!ENTITY % x SYSTEM \"http://127.0.0.1:1/\"> %x;]><Error><Code>X</Code>"
    "</Error>",
    "<!DOCTYPE Error [<!ENTITY x \"X\">]><Error><Code>&x;</Code></Error>",
    "<!DOCTYPE Error [<!ATTLIST Error a CDATA \"b\">]><Error><Code>X</Code></Error>",
    LAUGHS "<Error><Code>&h;</Code></Error>",
    LAUGHS "<Error a=\"&h;\"><Code>X</Code></Error>",
    "{\"Code\": \"X\"}",
};

/* What the function prints, in bytes. */
static long bytes_printed(bool (*read)(const char *, struct s3_xml_error *), const char *xml,
                          bool *ret_read, struct s3_xml_error *error)
{
    FILE *file = tmpfile();
    int saved_out = dup(1), saved_err = dup(2);
    long printed;

    ck_assert_ptr_nonnull(file);
    fflush(stdout);
    dup2(fileno(file), 1);
    dup2(fileno(file), 2);
    *ret_read = read(xml, error);
    fflush(stdout);
    fflush(stderr);
    dup2(saved_out, 1);
    dup2(saved_err, 2);
    close(saved_out);
    close(saved_err);
    printed = (long)lseek(fileno(file), 0, SEEK_END);
    fclose(file);
    return printed;
}

START_TEST(what_is_no_error_is_refused_in_silence)
{
    struct s3_xml_error error = {.code = "untouched"};
    bool was_read;
    long printed = bytes_printed(read_error, not_errors[_i], &was_read, &error);

    ck_assert_msg(!was_read, "%s", not_errors[_i]);
    ck_assert_str_eq(error.code, "untouched");
    ck_assert_int_eq(printed, 0);
}
END_TEST

START_TEST(a_document_is_refused_wherever_it_is_cut_off)
{
    static const char xml[] = DECLARATION
        "<Error" NAMESPACE "><Code>X</Code><!-- c --><Message>&lt;м<![CDATA[y]]></Message></Error>";
    struct s3_xml_error error;

    ck_assert(s3_xml_read_error(xml, sizeof xml - 1, &error));
    for (size_t length = 0; length < sizeof xml - 1; length++)
        ck_assert_msg(!s3_xml_read_error(xml, length, &error), "%zu bytes", length);
}
END_TEST

START_TEST(a_nul_anywhere_is_refused)
{
    static const char xml[] = "<Error><Code>X</Code></Error>\n";
    char copy[sizeof xml + 1];
    struct s3_xml_error error;

    for (size_t at = 0; at < sizeof xml; at++) {
        memcpy(copy, xml, at);
        copy[at] = 0;
        memcpy(copy + at + 1, xml + at, sizeof xml - 1 - at);
        ck_assert_msg(!s3_xml_read_error(copy, sizeof xml, &error), "at %zu", at);
    }
}
END_TEST

START_TEST(deep_documents_are_refused)
{
    struct buffer xml;
    struct s3_xml_error error;
    const unsigned levels[] = {15, 16, 300, 100000};

    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        buffer_init(&xml, 4u << 20);
        buffer_append_text(&xml, "<Error>");
        for (unsigned level = 0; level < levels[i]; level++)
            buffer_append_text(&xml, "<a>");
        for (unsigned level = 0; level < levels[i]; level++)
            buffer_append_text(&xml, "</a>");
        buffer_append_text(&xml, "</Error>");
        ck_assert(!xml.failed);
        ck_assert_int_eq(s3_xml_read_error(xml.data, xml.length, &error), levels[i] <= 15);
        buffer_done(&xml);
    }
}
END_TEST

START_TEST(long_texts_of_an_error_are_cut_between_characters)
{
    struct buffer xml;
    struct s3_xml_error error;

    buffer_init(&xml, 1u << 20);
    buffer_append_text(&xml, "<Error><Code>");
    for (int i = 0; i < 20000; i++)
        buffer_append_text(&xml, "x");
    buffer_append_text(&xml, "</Code><Message>");
    for (int i = 0; i < 20000; i++)
        buffer_append_text(&xml, "яя");
    buffer_append_text(&xml, "</Message></Error>");
    ck_assert(s3_xml_read_error(xml.data, xml.length, &error));
    ck_assert_int_eq((int)strlen(error.code), 63);
    ck_assert_int_eq((int)strlen(error.message), 254);
    buffer_done(&xml);
}
END_TEST

static const struct {
    const char *xml, *upload_id; /* NULL: unreadable */
} creates[] = {
    {DECLARATION "<InitiateMultipartUploadResult" NAMESPACE
                 "><Bucket>b</Bucket><Key>k</Key><UploadId>2~abc-_.</UploadId>"
                 "</InitiateMultipartUploadResult>",
     "2~abc-_."},
    {"<InitiateMultipartUploadResult><UploadId>0123456789</UploadId>"
     "</InitiateMultipartUploadResult>",
     NULL},
    {"<InitiateMultipartUploadResult><UploadId>012345678</UploadId>"
     "</InitiateMultipartUploadResult>",
     "012345678"},
    {"<InitiateMultipartUploadResult><UploadId> </UploadId></InitiateMultipartUploadResult>", NULL},
    {"<InitiateMultipartUploadResult><Key>k</Key></InitiateMultipartUploadResult>", NULL},
    {"<InitiateMultipartUploadResult><x><UploadId>1</UploadId></x></InitiateMultipartUploadResult>",
     NULL},
    {"<CompleteMultipartUploadResult><UploadId>1</UploadId></CompleteMultipartUploadResult>", NULL},
    {"<Error><UploadId>1</UploadId></Error>", NULL},
    {"", NULL},
};

START_TEST(an_upload_id_is_read)
{
    char id[10] = "untouched";
    bool ok = s3_xml_read_create(creates[_i].xml, strlen(creates[_i].xml), id, sizeof id);

    ck_assert_int_eq(ok, creates[_i].upload_id != NULL);
    ck_assert_str_eq(id, ok ? creates[_i].upload_id : "untouched");
}
END_TEST

static const struct {
    const char *xml, *etag; /* NULL: unreadable */
} completes[] = {
    {DECLARATION "<CompleteMultipartUploadResult" NAMESPACE
                 "><Location>http://h/b/k</Location><ETag>&quot;ab-2&quot;</ETag>"
                 "</CompleteMultipartUploadResult>",
     "ab-2"},
    {"   \n \r\n " DECLARATION
     "<CompleteMultipartUploadResult><ETag>\"ab\"</ETag></CompleteMultipartUploadResult>",
     "ab"},
    {DECLARATION
     "    "
     "<CompleteMultipartUploadResult><ETag>&#34;ab&#x22;</ETag></CompleteMultipartUploadResult>",
     "ab"},
    {"<CompleteMultipartUploadResult><ETag>W/\"ab\"</ETag></CompleteMultipartUploadResult>", "ab"},
    {"<CompleteMultipartUploadResult><ETag/></CompleteMultipartUploadResult>", ""},
    {"<CompleteMultipartUploadResult><ETag>\"\"</ETag></CompleteMultipartUploadResult>", ""},
    {"<CompleteMultipartUploadResult/>", ""},
    {"<CompleteMultipartUploadResult><ETag>0123456789</ETag></CompleteMultipartUploadResult>",
     NULL},
    {"<Error><Code>InternalError</Code></Error>", NULL},
    {"<InitiateMultipartUploadResult/>", NULL},
    {"          ", NULL},
    {"<html/>", NULL},
};

START_TEST(only_a_result_of_complete_is_success)
{
    char etag[10] = "untouched";
    bool ok = s3_xml_read_complete(completes[_i].xml, strlen(completes[_i].xml), etag, sizeof etag);

    ck_assert_msg(ok == (completes[_i].etag != NULL), "%s", completes[_i].xml);
    ck_assert_str_eq(etag, ok ? completes[_i].etag : "untouched");
}
END_TEST

static const struct {
    const char *text, *etag; /* NULL: does not fit */
} etags[] = {
    {"\"abc\"", "abc"},
    {"abc", "abc"},
    {"W/\"abc\"", "abc"},
    {"\"\"", ""},
    {"", ""},
    {"\"", "\""},
    {"\"a\"b\"", "a\"b"},
    {"1234567", "1234567"},
    {"\"1234567\"", "1234567"},
    {"\"12345678\"", NULL},
};

START_TEST(an_etag_loses_its_quotes)
{
    char etag[8] = "old";

    ck_assert_int_eq(s3_xml_plain_etag(etags[_i].text, etag, sizeof etag), etags[_i].etag != NULL);
    ck_assert_str_eq(etag, etags[_i].etag ? etags[_i].etag : "old");
}
END_TEST

#define PART(number, size, etag)                                                 \
    "<Part><LastModified>2026-01-01T00:00:00Z</LastModified><PartNumber>" number \
    "</PartNumber><ETag>" etag "</ETag><Size>" size "</Size></Part>"
#define PARTS(content) "<ListPartsResult" NAMESPACE ">" content "</ListPartsResult>"

START_TEST(parts_are_listed)
{
    struct s3_xml_listing listing;

    ck_assert(read_parts(
        DECLARATION PARTS("<Bucket>b</Bucket><UploadId>id</UploadId><Initiator><ID>x</ID>"
                          "</Initiator><PartNumberMarker>0</PartNumberMarker>"
                          "<NextPartNumberMarker>10000</NextPartNumberMarker><IsTruncated>true"
                          "</IsTruncated>" PART("1", "5242880", "&quot;aa&quot;")
                              PART(" 10000 ", "18446744073709551600", "bb")),
        &listing));
    ck_assert_int_eq((int)listing.count, 2);
    ck_assert_int_eq((int)listing.items[0].part_number, 1);
    ck_assert(listing.items[0].size_bytes == 5242880);
    ck_assert_str_eq(listing.items[0].etag, "aa");
    ck_assert_int_eq((int)listing.items[1].part_number, 10000);
    ck_assert(listing.items[1].size_bytes == 18446744073709551600u);
    ck_assert_str_eq(listing.items[1].etag, "bb");
    ck_assert(listing.truncated);
    ck_assert_int_eq((int)listing.next_part_number_marker, 10000);
    s3_xml_listing_done(&listing);
    s3_xml_listing_done(&listing);
    s3_xml_listing_done(NULL);
}
END_TEST

START_TEST(a_listing_may_be_empty)
{
    struct s3_xml_listing listing;

    ck_assert(
        read_parts(PARTS("<NextPartNumberMarker/><IsTruncated>false</IsTruncated>"), &listing));
    ck_assert_int_eq((int)listing.count, 0);
    ck_assert(!listing.truncated);
    s3_xml_listing_done(&listing);
}
END_TEST

START_TEST(a_missing_marker_is_the_last_part_of_the_page)
{
    struct s3_xml_listing listing;

    ck_assert(read_parts(PARTS("<IsTruncated>true</IsTruncated>" PART("7", "1", "a")), &listing));
    ck_assert_int_eq((int)listing.next_part_number_marker, 7);
    s3_xml_listing_done(&listing);
}
END_TEST

static const char *const not_parts[] = {
    "<ListPartsResult>",
    "<ListMultipartUploadsResult/>",
    PARTS(PART("0", "1", "a")),
    PARTS(PART("10001", "1", "a")),
    PARTS(PART("-1", "1", "a")),
    PARTS(PART("+1", "1", "a")),
    PARTS(PART("1.0", "1", "a")),
    PARTS(PART("0x1", "1", "a")),
    PARTS(PART("", "1", "a")),
    PARTS(PART("4294967297", "1", "a")),
    PARTS(PART("18446744073709551617", "1", "a")),
    PARTS(PART("1", "", "a")),
    PARTS(PART("1", "-1", "a")),
    PARTS(PART("1", "18446744073709551616", "a")),
    PARTS(PART("1", "99999999999999999999999", "a")),
    PARTS(PART("1", "1", "")),
    PARTS(PART("1", "1", "&quot;&quot;")),
    PARTS("<Part><PartNumber>1</PartNumber><Size>1</Size></Part>"),
    PARTS("<Part><PartNumber>1</PartNumber><ETag>a</ETag></Part>"),
    PARTS("<Part><ETag>a</ETag><Size>1</Size></Part>"),
    PARTS("<Part/>"),
    PARTS("<IsTruncated>perhaps</IsTruncated>"),
    PARTS("<IsTruncated/>"),
    PARTS("<IsTruncated>true</IsTruncated>"),
    PARTS("<NextPartNumberMarker>10001</NextPartNumberMarker>"),
    PARTS("<NextPartNumberMarker>x</NextPartNumberMarker>"),
};

START_TEST(a_listing_with_anything_odd_in_it_is_unreadable)
{
    struct s3_xml_listing listing = {.count = 77};

    ck_assert_msg(!read_parts(not_parts[_i], &listing), "%s", not_parts[_i]);
    ck_assert_int_eq((int)listing.count, 77);
}
END_TEST

static bool read_page_of(unsigned count, struct s3_xml_listing *ret_listing)
{
    struct buffer xml;
    bool ok;

    buffer_init(&xml, 16u << 20);
    buffer_append_text(&xml, "<ListPartsResult>");
    for (unsigned i = 0; i < count; i++)
        buffer_append_format(&xml,
                             "<Part><PartNumber>%u</PartNumber><Size>5</Size><ETag>e</ETag></Part>",
                             i % 10000 + 1);
    buffer_append_text(&xml, "</ListPartsResult>");
    ck_assert(!xml.failed);
    ok = s3_xml_read_parts(xml.data, xml.length, ret_listing);
    buffer_done(&xml);
    return ok;
}

START_TEST(a_page_has_at_most_1000_items)
{
    struct s3_xml_listing listing;

    ck_assert(read_page_of(1000, &listing));
    ck_assert_int_eq((int)listing.count, 1000);
    ck_assert_int_eq((int)listing.items[999].part_number, 1000);
    s3_xml_listing_done(&listing);
    ck_assert(!read_page_of(1001, &listing));
    ck_assert(!read_page_of(100000, &listing));
}
END_TEST

#define UPLOADS(content) "<ListMultipartUploadsResult>" content "</ListMultipartUploadsResult>"

START_TEST(uploads_are_listed)
{
    struct s3_xml_listing listing;

    ck_assert(read_uploads(
        UPLOADS("<Bucket>b</Bucket><Prefix>k</Prefix><IsTruncated>false</IsTruncated>"
                "<Upload><Key> встреча &amp; 1.mp4</Key><UploadId>id1</UploadId><Owner><ID>Key</ID>"
                "<Key>no</Key></Owner></Upload>"
                "<Upload><UploadId>id2</UploadId><Key>k</Key></Upload>"
                "<CommonPrefixes><Prefix>p</Prefix></CommonPrefixes>"),
        &listing));
    ck_assert_int_eq((int)listing.count, 2);
    ck_assert_str_eq(listing.items[0].key, " встреча & 1.mp4");
    ck_assert_str_eq(listing.items[0].upload_id, "id1");
    ck_assert_str_eq(listing.items[1].key, "k");
    ck_assert_str_eq(listing.items[1].upload_id, "id2");
    s3_xml_listing_done(&listing);
}
END_TEST

/* By its references to them, which XML 1.0 forbids as well: what Ceph does. */
START_TEST(keys_may_have_characters_that_xml_forbids)
{
    struct s3_xml_listing listing;

    ck_assert(read_uploads(
        UPLOADS("<NextKeyMarker>&#x1f;z\x02</NextKeyMarker>"
                "<Upload><Key>a&#x01;b&#xfffe;</Key><UploadId>i</UploadId></Upload>"
                "<Upload><Key>\x1b[31m\xef\xbf\xbf</Key><UploadId>j</UploadId></Upload>"
                "<Upload><Key>k</Key><UploadId>l</UploadId></Upload>"),
        &listing));
    ck_assert_int_eq((int)listing.count, 3);
    ck_assert_str_eq(listing.next_key_marker, "\x1fz\x02");
    ck_assert_str_eq(listing.items[0].key, "a\x01"
                                           "b");
    ck_assert_str_eq(listing.items[1].key, "\x1b[31m");
    ck_assert_str_eq(listing.items[2].key, "k");
    s3_xml_listing_done(&listing);
}
END_TEST

START_TEST(uploads_tell_when_they_began_and_where_the_next_page_begins)
{
    struct s3_xml_listing listing;

    ck_assert(read_uploads(
        UPLOADS("<IsTruncated>true</IsTruncated><NextKeyMarker>k l</NextKeyMarker>"
                "<NextUploadIdMarker>id9</NextUploadIdMarker>"
                "<Upload><Key>k</Key><UploadId>i</UploadId>"
                "<Initiated>2026-11-24T09:41:02.123Z</Initiated></Upload>"
                "<Upload><Key>k</Key><UploadId>j</UploadId><Initiated>soon</Initiated></Upload>"),
        &listing));
    ck_assert(listing.truncated);
    ck_assert_str_eq(listing.next_key_marker, "k l");
    ck_assert_str_eq(listing.next_upload_id_marker, "id9");
    ck_assert_int_eq(listing.items[0].at, 1795513262);
    ck_assert_int_eq(listing.items[1].at, 0);
    s3_xml_listing_done(&listing);
}
END_TEST

START_TEST(a_part_that_was_copied_has_its_etag_in_the_body)
{
    static const char copied[] = "<CopyPartResult><LastModified>2026-11-24T09:41:02.123Z"
                                 "</LastModified><ETag>&quot;abc&quot;</ETag></CopyPartResult>";
    static const char none[] = "<CopyPartResult><ETag/></CopyPartResult>";
    static const char other[] = "<Error><ETag>abc</ETag></Error>";
    char etag[S3_ETAG_SIZE] = "before";

    ck_assert(!s3_xml_read_copied(none, strlen(none), etag, sizeof etag));
    ck_assert(!s3_xml_read_copied(other, strlen(other), etag, sizeof etag));
    ck_assert_str_eq(etag, "before");
    ck_assert(s3_xml_read_copied(copied, strlen(copied), etag, sizeof etag));
    ck_assert_str_eq(etag, "abc");
}
END_TEST

static const char *const not_uploads[] = {
    UPLOADS("<Upload/>"),
    UPLOADS("<Upload><Key>k</Key></Upload>"),
    UPLOADS("<Upload><UploadId>i</UploadId></Upload>"),
    UPLOADS("<Upload><Key>k</Key><UploadId/></Upload>"),
    UPLOADS("<Upload><Key>k</Key><Key>l</Key><UploadId>i</UploadId></Upload>"),
    UPLOADS("<Upload><Key>k</Key><UploadId>i</UploadId><UploadId>j</UploadId></Upload>"),
    UPLOADS("<Upload><Key>k</Key><UploadId>i</UploadId></Upload><IsTruncated>1</IsTruncated>"),
    "<ListMultipartUploadsResult><Upload><Key>k</Key><UploadId>i</UploadId></Upload>",
    PARTS(""),
};

START_TEST(a_list_of_uploads_with_anything_odd_in_it_is_unreadable)
{
    struct s3_xml_listing listing = {.count = 77};

    ck_assert_msg(!read_uploads(not_uploads[_i], &listing), "%s", not_uploads[_i]);
    ck_assert_int_eq((int)listing.count, 77);
}
END_TEST

START_TEST(a_key_that_is_too_long_for_any_key_is_unreadable)
{
    struct s3_xml_listing listing;
    struct buffer xml;

    buffer_init(&xml, 1u << 20);
    buffer_append_text(&xml, "<ListMultipartUploadsResult><Upload><Key>");
    for (int i = 0; i < 4097; i++)
        buffer_append_text(&xml, "k");
    buffer_append_text(&xml, "</Key><UploadId>i</UploadId></Upload></ListMultipartUploadsResult>");
    ck_assert(!s3_xml_read_uploads(xml.data, xml.length, &listing));
    buffer_done(&xml);
}
END_TEST

START_TEST(complete_lists_its_parts)
{
    struct buffer out;

    buffer_init(&out, 1000);
    s3_xml_begin_complete(&out);
    s3_xml_add_part(&out, 1, "0123abcd");
    s3_xml_add_part(&out, 10000, "<&>\"");
    s3_xml_end_complete(&out);
    ck_assert(!out.failed);
    ck_assert_str_eq(buffer_text(&out),
                     "<CompleteMultipartUpload" NAMESPACE ">"
                     "<Part><PartNumber>1</PartNumber><ETag>\"0123abcd\"</ETag></Part>"
                     "<Part><PartNumber>10000</PartNumber><ETag>\"&lt;&amp;&gt;\"\"</ETag></Part>"
                     "</CompleteMultipartUpload>");
    buffer_done(&out);
    buffer_init(&out, 90);
    s3_xml_begin_complete(&out);
    s3_xml_add_part(&out, 1, "0123abcd");
    s3_xml_end_complete(&out);
    ck_assert(out.failed);
    buffer_done(&out);
}
END_TEST

#define COUNT(table) ((int)(sizeof(table) / sizeof *(table)))

int main(void)
{
    Suite *suite = suite_create("s3_xml");
    TCase *tests = tcase_create("s3_xml");

    tcase_add_test(tests, an_error_is_read);
    tcase_add_test(tests, texts_of_an_error_are_one_line);
    tcase_add_loop_test(tests, errors_of_any_form_are_read, 0, COUNT(error_codes));
    tcase_add_loop_test(tests, what_is_no_error_is_refused_in_silence, 0, COUNT(not_errors));
    tcase_add_test(tests, a_document_is_refused_wherever_it_is_cut_off);
    tcase_add_test(tests, a_nul_anywhere_is_refused);
    tcase_add_test(tests, deep_documents_are_refused);
    tcase_add_test(tests, long_texts_of_an_error_are_cut_between_characters);
    tcase_add_loop_test(tests, an_upload_id_is_read, 0, COUNT(creates));
    tcase_add_loop_test(tests, only_a_result_of_complete_is_success, 0, COUNT(completes));
    tcase_add_loop_test(tests, an_etag_loses_its_quotes, 0, COUNT(etags));
    tcase_add_test(tests, parts_are_listed);
    tcase_add_test(tests, a_listing_may_be_empty);
    tcase_add_test(tests, a_missing_marker_is_the_last_part_of_the_page);
    tcase_add_loop_test(tests, a_listing_with_anything_odd_in_it_is_unreadable, 0,
                        COUNT(not_parts));
    tcase_add_test(tests, a_page_has_at_most_1000_items);
    tcase_add_test(tests, uploads_are_listed);
    tcase_add_test(tests, keys_may_have_characters_that_xml_forbids);
    tcase_add_test(tests, uploads_tell_when_they_began_and_where_the_next_page_begins);
    tcase_add_test(tests, a_part_that_was_copied_has_its_etag_in_the_body);
    tcase_add_loop_test(tests, a_list_of_uploads_with_anything_odd_in_it_is_unreadable, 0,
                        COUNT(not_uploads));
    tcase_add_test(tests, a_key_that_is_too_long_for_any_key_is_unreadable);
    tcase_add_test(tests, complete_lists_its_parts);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
