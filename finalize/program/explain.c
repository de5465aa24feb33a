#include "finalize/program/explain.h"

#include "finalize/s3/s3_code.h"

#include "finalize/report/report.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#define GOES_ON "call it again with the same directory: it goes on where it stopped"

static const struct {
    enum explain_exit code;
    const char *advice;
} kinds[] = {
    [ERROR_NONE] = {EXPLAIN_EXIT_OK, "nothing is to be done"},
    [ERROR_TRANSIENT] = {EXPLAIN_EXIT_LATER, GOES_ON},
    [ERROR_CHANGED] = {EXPLAIN_EXIT_LATER, GOES_ON},
    [ERROR_STOPPED] = {EXPLAIN_EXIT_LATER, GOES_ON},
    [ERROR_SETTINGS] = {EXPLAIN_EXIT_SETTINGS,
                        "correct the settings (jibri-finalize check tells more), then call it "
                        "again with the same directory"},
    [ERROR_USAGE] = {EXPLAIN_EXIT_USAGE, "see jibri-finalize --help"},
    [ERROR_NO_INPUT] = {EXPLAIN_EXIT_NO_INPUT, "give it the session directory that Jibri made"},
    [ERROR_DAMAGED] = {EXPLAIN_EXIT_PERSON,
                       "move the journal away and call it again with the same directory"},
    [ERROR_PERMANENT] = {EXPLAIN_EXIT_PERSON,
                         "repair the cause (jibri-finalize check tells more), then call it again "
                         "with the same directory"},
};

/* A kind that has no row needs a person: it must not look like success. */
static unsigned row_of(enum error_kind kind)
{
    return kind < sizeof kinds / sizeof *kinds && kinds[kind].advice ? kind : ERROR_PERMANENT;
}

enum explain_exit explain_exit_code(const struct error *err)
{
    return kinds[row_of(err->kind)].code;
}

int explain_exit_code_of_states(unsigned states)
{
    if (states & REPORT_NEEDS_PERSON)
        return EXPLAIN_EXIT_PERSON;
    return states & REPORT_IS_PENDING ? EXPLAIN_EXIT_LATER : EXPLAIN_EXIT_OK;
}

int explain_worse(int a, int b)
{
    return a == EXPLAIN_EXIT_OK || (a == EXPLAIN_EXIT_LATER && b != EXPLAIN_EXIT_OK) ? b : a;
}

static const char *const s3_advice[] = {
    [S3_MEANS_RIGHT] =
        "give the key of CONFOMEET_S3_CLIENT_ID the right to read and write objects in "
        "CONFOMEET_S3_BUCKET, then try again",
    [S3_MEANS_RIGHT_TO_LIST] =
        "give the key of CONFOMEET_S3_CLIENT_ID s3:ListBucket on CONFOMEET_S3_BUCKET "
        "(without "
        "it the server does not say that a key is free) and s3:GetObject on its objects, "
        "then try again",
    [S3_MEANS_POLICY] =
        "a policy of CONFOMEET_S3_BUCKET or of its account denies this: change the policy "
        "(rights of the access key do not help), then try again",
    [S3_MEANS_CLOSED] = "ask the provider why the bucket of CONFOMEET_S3_BUCKET is closed",
    [S3_MEANS_KEY_ID] = "correct CONFOMEET_S3_CLIENT_ID: the server does not know this key",
    [S3_MEANS_SECRET] = "correct CONFOMEET_S3_CLIENT_SECRET and CONFOMEET_S3_CLIENT_ID: they do "
                        "not belong together (some servers say so of an id that they do not "
                        "know, too)",
    [S3_MEANS_EXPIRED] =
        "have CONFOMEET_S3_CLIENT_ID, CONFOMEET_S3_CLIENT_SECRET and CONFOMEET_S3_SESSION_TOKEN "
        "set to keys that have not expired (a program that renews them writes their files)",
    [S3_MEANS_NO_BUCKET] = "correct CONFOMEET_S3_BUCKET, or make the bucket: it does not exist at "
                           "CONFOMEET_S3_URL",
    [S3_MEANS_BUCKET_NAME] = "correct CONFOMEET_S3_BUCKET: the server takes no such name",
    [S3_MEANS_REGION] =
        "correct CONFOMEET_S3_REGION and CONFOMEET_S3_URL: the bucket is in another region, "
        "or elsewhere",
    [S3_MEANS_CLOCK] =
        "set this machine's clock: it differs from the server's by more than 15 minutes",
    [S3_MEANS_QUOTA] =
        "raise the quota (the provider's cap, the maximum size of the bucket) or make room "
        "in the bucket, then try again",
    [S3_MEANS_FULL] = "make room on the S3 server, then try again",
    [S3_MEANS_TOO_LARGE] =
        "raise the server's limit, or lower CONFOMEET_S3_PART_SIZE below it, then try again",
    [S3_MEANS_BODY_LIMIT] =
        "raise the body limit of the proxy before the server (nginx: client_max_body_size), "
        "or lower CONFOMEET_S3_PART_SIZE below it, then try again",
    [S3_MEANS_STORAGE_CLASS] = "correct CONFOMEET_S3_STORAGE_CLASS: the server does not have it",
    [S3_MEANS_NOT_IMPLEMENTED] =
        "switch off what the server does not have: CONFOMEET_S3_CONDITIONAL_WRITES, "
        "CONFOMEET_S3_STORAGE_CLASS",
    [S3_MEANS_MD5_WANTED] =
        "set CONFOMEET_S3_CONTENT_MD5=yes: the bucket has Object Lock, which demands it, "
        "then try again",
    [S3_MEANS_DAMAGED] = NULL,
};

/* Of S3, and of the backend. */
static const char *const network_advice[][2] = {
    [ERROR_NETWORK_NAME] =
        {"see that the host of CONFOMEET_S3_URL is spelled right and that this "
         "machine's DNS works, then try again",
         "see that the host of CONFOMEET_BASE_URL (or XMPP_DOMAIN) is spelled right "
         "and that this machine's DNS works, then try again"},
    [ERROR_NETWORK_CONNECTION] =
        {"see that CONFOMEET_S3_URL is right, that the server runs and that no "
         "firewall or CONFOMEET_PROXY is in the way, then try again",
         "see that CONFOMEET_BASE_URL (or XMPP_DOMAIN) is right and that the "
         "backend runs, then try again"},
    [ERROR_NETWORK_TLS] =
        {"name the CA of the server's certificate in CONFOMEET_CA_FILE, or correct "
         "the host in CONFOMEET_S3_URL (a CONFOMEET_S3_BUCKET with dots needs "
         "CONFOMEET_S3_ADDRESSING=path); see this machine's clock, too",
         "name the CA of the backend's certificate in CONFOMEET_CA_FILE, or correct "
         "the host in CONFOMEET_BASE_URL; see this machine's clock, too"},
    [ERROR_NETWORK_PROXY] =
        {"correct the user and the password in CONFOMEET_PROXY (or http_proxy, https_proxy), or "
         "let the proxy allow connections to the host of CONFOMEET_S3_URL, then try again",
         "correct the user and the password in CONFOMEET_PROXY (or http_proxy, https_proxy), or "
         "let the proxy allow connections to the host of CONFOMEET_BASE_URL, then try again"},
};

static const char *advice_for_backend_status(int status)
{
    if (status == 401 || status == 403)
        return "correct CONFOMEET_BACKEND_TOKEN; the recording is in the bucket already";
    if ((status >= 300 && status < 400) || status == 404 || status == 405)
        return "correct CONFOMEET_BASE_URL: notices go to "
               "<it>/api/v1/Recording/AddS3VideoRecording and are not redirected";
    return "see the backend's log; the recording is in the bucket already";
}

static const char *advice_for_errno(int errno_value)
{
    switch (errno_value) {
    case ENOSPC:
    case EDQUOT:
        return "make room on the disk of the recordings (or move CONFOMEET_JOURNAL to another), "
               "then try again";
    case EACCES:
    case EPERM:
        return "let the user of this program read and write the recordings directory, then try "
               "again";
    case EROFS:
        return "mount the recordings directory writable, then try again";
    case EIO:
        return "check the disk, which cannot be read";
    default:
        return NULL;
    }
}

/* Words of this program's texts, of which no kind or code tells. The first that fits counts. */
static const struct phrase {
    const char *words, *advice;
    bool first;       /* it goes before what a code says, else after it */
    bool has_command; /* the advice ends in a command, to which the recording is to be added */
} phrases[] = {
    {"no keys from instance metadata", /* credentials.h */
     "set CONFOMEET_S3_CLIENT_ID and CONFOMEET_S3_CLIENT_SECRET, or give the machine a role "
     "(containers on it need a hop limit of 2), then try again",
     .first = true},
    {"no keys from the container's endpoint",
     "see that the task or pod has a role, and what the endpoint's log says, then try again",
     .first = true},
    {"no keys",
     "see that AWS_ROLE_ARN may be assumed with the token in AWS_WEB_IDENTITY_TOKEN_FILE (the "
     "role's trust policy), and that the STS service can be reached, then try again",
     .first = true},
    {"HTTP/2 alone is spoken",
     "see that CONFOMEET_S3_URL begins with https:// where the server wants that, and that the "
     "server speaks HTTP/1.1, then try again",
     .first = false},
    {"not an S3 reply",
     "see that CONFOMEET_S3_URL is the address of the S3 service, and that no proxy "
     "(CONFOMEET_PROXY, http_proxy) answers in its place, then try again",
     .first = false},
    {"does not begin with a meeting id", "jibri-finalize retry --meeting-id NUMBER",
     .has_command = true},
    {"vanished before", EXPLAIN_LOST, .has_command = true},
    {"", NULL, .first = false}, /* it fits all */
};

static const struct phrase *phrase_in(const char *text)
{
    const struct phrase *phrase = phrases;

    while (!strstr(text, phrase->words))
        phrase++;
    return phrase;
}

const char *explain_repair(const struct error *err)
{
    const struct phrase *phrase = phrase_in(err->text);
    const char *advice = phrase->first ? phrase->advice : NULL;

    if (!advice && !err->from_backend)
        advice = s3_advice[s3_code_of_error(err)->meaning];
    if (!advice)
        advice = network_advice[err->network][err->from_backend];
    if (!advice && err->from_backend)
        advice = advice_for_backend_status(err->http_status);
    if (!advice && err->sys_errno)
        advice = advice_for_errno(err->sys_errno);
    return advice ? advice : phrase->advice;
}

const char *explain_advice(const struct error *err)
{
    const char *advice = explain_repair(err);

    return advice ? advice : kinds[row_of(err->kind)].advice;
}

bool explain_has_command(const struct error *err)
{
    const struct phrase *phrase = phrase_in(err->text);

    return phrase->has_command && explain_repair(err) == phrase->advice;
}

const char *explain_advice_for_text(const char *text, bool *ret_has_command)
{
    const struct phrase *phrase = phrase_in(text);
    const char *advice = phrase->first ? phrase->advice : s3_advice[s3_code_in(text)->meaning];

    *ret_has_command = !advice && phrase->has_command;
    if (!advice && strstr(text, "the proxy answers"))
        advice = network_advice[ERROR_NETWORK_PROXY][0];
    if (!advice)
        advice = phrase->advice;
    if (!advice && strstr(text, "the backend"))
        advice = "see what the backend's log says and whether CONFOMEET_BASE_URL is right, then "
                 "try again";
    return advice ? advice : "repair the cause (jibri-finalize check tells more), then try again";
}
