#include "finalize/program/explain.h"

#include "finalize/report/report.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

enum explain_exit explain_exit_code(const struct error *err)
{
    switch (err->kind) {
    case ERROR_NONE:
        return EXPLAIN_EXIT_OK;
    case ERROR_TRANSIENT:
    case ERROR_CHANGED:
    case ERROR_STOPPED:
        return EXPLAIN_EXIT_LATER;
    case ERROR_SETTINGS:
        return EXPLAIN_EXIT_SETTINGS;
    case ERROR_USAGE:
        return EXPLAIN_EXIT_USAGE;
    case ERROR_NO_INPUT:
        return EXPLAIN_EXIT_NO_INPUT;
    case ERROR_DAMAGED:
    case ERROR_PERMANENT:
        break;
    }
    return EXPLAIN_EXIT_PERSON;
}

int explain_exit_code_of_states(unsigned states)
{
    if (states & REPORT_NEEDS_PERSON)
        return EXPLAIN_EXIT_PERSON;
    return states & REPORT_IS_PENDING ? EXPLAIN_EXIT_LATER : EXPLAIN_EXIT_OK;
}

int explain_worse(int a, int b)
{
    static const int order[] = {EXPLAIN_EXIT_OK, EXPLAIN_EXIT_LATER};

    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        if (a == order[i])
            return b;
        if (b == order[i])
            return a;
    }
    return a;
}

static const struct {
    const char *code;
    const char *advice;
} s3_codes[] = {
    {"AccessDenied", "give the key of CONFOMEET_S3_CLIENT_ID the right to read and write objects "
                     "in CONFOMEET_S3_BUCKET, then try again"},
    {"AllAccessDisabled", "ask the provider why the bucket of CONFOMEET_S3_BUCKET is closed"},
    {"InvalidAccessKeyId", "correct CONFOMEET_S3_CLIENT_ID: the server does not know this key"},
    {"SignatureDoesNotMatch", "correct CONFOMEET_S3_CLIENT_SECRET: it does not belong to "
                              "CONFOMEET_S3_CLIENT_ID"},
    {"InvalidSignature", "correct CONFOMEET_S3_CLIENT_SECRET: it does not belong to "
                         "CONFOMEET_S3_CLIENT_ID"},
    {"NoSuchBucket", "correct CONFOMEET_S3_BUCKET, or make the bucket: it does not exist at "
                     "CONFOMEET_S3_URL"},
    {"InvalidBucketName", "correct CONFOMEET_S3_BUCKET: the server takes no such name"},
    {"AuthorizationHeaderMalformed", "correct CONFOMEET_S3_REGION: the server signs for another"},
    {"PermanentRedirect", "correct CONFOMEET_S3_URL and CONFOMEET_S3_REGION: the bucket lives "
                          "elsewhere"},
    {"RequestTimeTooSkewed", "set this machine's clock: it differs from the server's by more "
                             "than 15 minutes"},
    {"QuotaExceeded", "make room in the bucket or raise its quota, then try again"},
    {"CloudTotalAliveSizeQuotaExceed", "raise the quota of the cloud's storage, then try again"},
    {"BucketMaxSizeExceeded", "raise the maximum size of the bucket, then try again"},
    {"XMinioStorageFull", "make room on the S3 server, then try again"},
    {"EntityTooLarge", "raise the server's limit, or CONFOMEET_S3_PART_SIZE, then try again"},
    {"InvalidStorageClass", "correct CONFOMEET_S3_STORAGE_CLASS: the server does not have it"},
    {"NotImplemented", "switch off what the server does not have: "
                       "CONFOMEET_S3_CONDITIONAL_WRITES, CONFOMEET_S3_STORAGE_CLASS"},
};

static const char *advice_for_s3_code(const char *code)
{
    for (size_t i = 0; i < sizeof s3_codes / sizeof s3_codes[0]; i++)
        if (!strcmp(s3_codes[i].code, code))
            return s3_codes[i].advice;
    return NULL;
}

static const char *advice_for_network(enum error_network network, bool backend)
{
    switch (network) {
    case ERROR_NETWORK_NAME:
        return backend ? "see that the host of CONFOMEET_BASE_URL (or XMPP_DOMAIN) is spelled "
                         "right and "
                         "that this machine's DNS works, then call it again with the same directory"
                       : "see that the host of CONFOMEET_S3_URL is spelled right and that this "
                         "machine's DNS works, then call it again with the same directory";
    case ERROR_NETWORK_CONNECTION:
        return backend
                   ? "see that CONFOMEET_BASE_URL (or XMPP_DOMAIN) is right and that the backend "
                     "runs, then call it again with the same directory"
                   : "see that CONFOMEET_S3_URL is right, that the server runs and that no "
                     "firewall or CONFOMEET_PROXY is in the way, then call it again with the same "
                     "directory";
    case ERROR_NETWORK_TLS:
        return backend
                   ? "name the CA of the backend's certificate in CONFOMEET_CA_FILE, or correct "
                     "the host in CONFOMEET_BASE_URL; see this machine's clock, too"
                   : "name the CA of the server's certificate in CONFOMEET_CA_FILE, or correct "
                     "the host in CONFOMEET_S3_URL; see this machine's clock, too";
    case ERROR_NETWORK_NONE:
        break;
    }
    return NULL;
}

static const char *advice_for_backend_status(int status)
{
    if (status == 401 || status == 403)
        return "correct CONFOMEET_BACKEND_TOKEN; the recording is in the bucket, the files stay "
               "until "
               "the backend accepts the notice";
    if ((status >= 300 && status < 400) || status == 404 || status == 405)
        return "correct CONFOMEET_BASE_URL: notices go to "
               "<it>/api/v1/Recording/AddS3VideoRecording and "
               "are not redirected";
    return "see the backend's log; the recording is in the bucket, the files stay until it accepts "
           "the "
           "notice";
}

static const char *advice_for_errno(int errno_value)
{
    switch (errno_value) {
    case ENOSPC:
    case EDQUOT:
        return "make room on the disk of the recordings (or move CONFOMEET_JOURNAL to another), "
               "then "
               "try again";
    case EACCES:
    case EPERM:
        return "let the user of this program read and write the recordings directory, then try "
               "again";
    case EROFS:
        return "mount the recordings directory writable, then try again";
    case EIO:
        return "look at the disk: it does not give the data back";
    default:
        return NULL;
    }
}

static const char *advice_for_kind(enum error_kind kind)
{
    switch (kind) {
    case ERROR_NONE:
        return "nothing is to be done";
    case ERROR_TRANSIENT:
    case ERROR_CHANGED:
    case ERROR_STOPPED:
        return "call it again with the same directory: it goes on where it stopped";
    case ERROR_SETTINGS:
        return "correct the settings (jibri-finalize check tells more), then call it again with "
               "the "
               "same directory";
    case ERROR_USAGE:
        return "see jibri-finalize --help";
    case ERROR_NO_INPUT:
        return "give it the session directory that Jibri made";
    case ERROR_DAMAGED:
        return "move the journal away and call it again with the same directory";
    case ERROR_PERMANENT:
        break;
    }
    return "the files stay on disk: repair the cause (jibri-finalize check tells more), then call "
           "it "
           "again with the same directory";
}

const char *explain_advice(const struct error *err)
{
    const char *advice = err->s3_code[0] ? advice_for_s3_code(err->s3_code) : NULL;

    if (!advice && err->http_status == 413 && !err->from_backend)
        advice =
            "raise the body limit of the proxy before the server (nginx's client_max_body_size) "
            "above the part's size, or lower CONFOMEET_S3_PART_SIZE, then try again";
    if (!advice)
        advice = advice_for_network(err->network, err->from_backend);
    if (!advice && err->from_backend)
        advice = advice_for_backend_status(err->http_status);
    if (!advice && err->sys_errno)
        advice = advice_for_errno(err->sys_errno);
    if (!advice && strstr(err->text, "does not begin with a meeting id"))
        advice = "jibri-finalize retry --meeting-id NUMBER, with the same directory, tells the "
                 "backend of it";
    return advice ? advice : advice_for_kind(err->kind);
}

const char *explain_advice_for_text(const char *text)
{
    for (size_t i = 0; i < sizeof s3_codes / sizeof s3_codes[0]; i++)
        if (strstr(text, s3_codes[i].code))
            return s3_codes[i].advice;
    if (strstr(text, "the backend"))
        return "see what the backend's log says and whether CONFOMEET_BASE_URL is right, then try "
               "again";
    return "repair the cause (jibri-finalize check tells more), then try again";
}
