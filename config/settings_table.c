#include "config/settings_table.h"

#include "config/settings.h"
#include "config/settings_checks.h"

#include <string.h>

/* What every row begins with. */
#define ROW(its_name, its_group, its_type, field)                                         \
    .name = (its_name), .group = SETTINGS_GROUP_##its_group, .type = SETTINGS_##its_type, \
    .offset = offsetof(struct settings, field)

#define MIB    (UINT64_C(1) << 20)
#define GIB    (UINT64_C(1) << 30)
#define SECOND UINT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

static const char *const addressings[] = {"path", "virtual", NULL};
static const char *const log_levels[] = {"error", "warning", "info", "debug", NULL};
static const char *const log_formats[] = {"text", "json", NULL};

const struct settings_row settings_table[] = {
    /* the bucket */
    {ROW("CONFOMEET_S3_URL", BUCKET, TEXT, s3_url), .check = settings_check_url, .form = "URL",
     .expected = "a URL as https://host, https://host:port or https://host/path, without user "
                 "name, query and fragment",
     .example = "https://storage.yandexcloud.net/", .secret_signs = "@", .required = true,
     .in_example = true, .help = "The address of the S3 service, without the bucket."},
    {ROW("CONFOMEET_S3_BUCKET", BUCKET, TEXT, s3_bucket), .check = settings_check_bucket,
     .form = "name",
     .expected = "the name of a bucket: 3 to 255 letters, digits, '.', '-' and '_', a letter or "
                 "digit first",
     .example = "recordings", .required = true, .in_example = true,
     .help = "The bucket for the recordings. It has to exist."},
    {ROW("CONFOMEET_S3_REGION", BUCKET, TEXT, s3_region), .default_text = "us-east-1",
     .check = settings_check_name, .form = "name",
     .expected = "a region as ru-central1: letters, digits, '-', '_' and '.'",
     .example = "ru-central1", .in_example = true,
     .help =
         "The region that requests are signed for. Many services other than Amazon's accept any."},
    {ROW("CONFOMEET_S3_CLIENT_ID", BUCKET, TEXT, s3_client_id), .check = settings_check_client_id,
     .form = "text", .expected = "the access key's id: printable ASCII without blanks and '/'",
     .example = "put-the-key-id-here",
     .secret_signs = "/+= ", .unset_text = "what the platform gives", .in_example = true,
     .file_name = "CONFOMEET_S3_CLIENT_ID_FILE",
     .help = "The id of the access key. Without id and secret, the platform is asked for keys, as "
             "the AWS SDKs do: web identity, the container's endpoint, instance metadata."},
    {ROW("CONFOMEET_S3_CLIENT_SECRET", BUCKET, TEXT, s3_client_secret),
     .check = settings_check_client_secret, .form = "text",
     .expected = "the access key's secret: no control characters, no blanks around it",
     .example = "put-the-secret-key-here", .unset_text = "what the platform gives",
     .in_example = true, .secret = true, .file_name = "CONFOMEET_S3_CLIENT_SECRET_FILE",
     .help = "The secret of the access key."},
    {ROW("CONFOMEET_S3_SESSION_TOKEN", BUCKET, TEXT, s3_session_token), .unset_text = "none",
     .check = settings_check_token, .form = "text", .expected = "printable ASCII without blanks",
     .example = "put-the-token-here", .secret = true,
     .file_name = "CONFOMEET_S3_SESSION_TOKEN_FILE",
     .help = "The session token that belongs to an access key for a while. Id, secret and token "
             "are read again, from files that changed, when the server says that they have "
             "expired or aren't known."},
    {ROW("CONFOMEET_S3_KEY_PREFIX", BUCKET, TEXT, s3_key_prefix), .default_text = "",
     .check = settings_check_key_prefix, .form = "template",
     .expected = "at most 200 bytes of UTF-8 with no other braces than {session}, {instance}, "
                 "{meeting}, {yyyy}, {mm}, {dd} and {metadata.NAME}, no '/' at the beginning, no "
                 "\"//\", no "
                 "\".\" or \"..\" between slashes, no control characters and none of "
                 ": * ? \" < > | ! \\",
     .example = "recordings/{yyyy}/{mm}/",
     .help =
         "The beginning of the key of every object. {session}, {instance}, {meeting}, "
         "{yyyy}, {mm} and {dd} are filled in, and {metadata.NAME} by a member of metadata.json "
         "(unknown where there is none; nothing is sent while Jibri records then, since the "
         "file is written at the end). End it with '/' to make it a folder."},
    {ROW("CONFOMEET_S3_ADDRESSING", BUCKET, CHOICE, s3_addressing), .default_text = "path",
     .choices = addressings,
     .help = "Where the bucket's name stands in requests: in the path (https://host/bucket/key) "
             "or in the host's name (https://bucket.host/key)."},
    {ROW("CONFOMEET_S3_STORAGE_CLASS", BUCKET, TEXT, s3_storage_class),
     .unset_text = "the bucket's own", .check = settings_check_storage_class, .form = "name",
     .expected = "a storage class as STANDARD_IA: capital letters, digits, '_' and '-'",
     .example = "STANDARD_IA", .help = "The storage class of the objects."},
    {ROW("CONFOMEET_S3_METADATA", BUCKET, TEXT, s3_metadata), .unset_text = "none",
     .check = settings_check_metadata, .form = "list",
     .expected = "name=value,name=value with names of a-z, 0-9 and '-', each once and none that "
                 "begins with \"jibri-\", values of printable ASCII without commas, at most "
                 "1KiB in all",
     .example = "department=sales,kept-by=archive",
     .help = "User metadata that is added to every object."},
    {ROW("CONFOMEET_S3_OBJECT_HEADERS", BUCKET, TEXT, s3_object_headers), .unset_text = "none",
     .check = settings_check_object_headers, .form = "list",
     .expected = "name: value; name: value, at most 4KiB in all",
     .example = "x-amz-server-side-encryption: aws:kms; cache-control: private",
     .help =
         "Headers that are sent, and signed, when an object is made: cache-control, "
         "content-disposition, content-language, x-amz-acl, x-amz-grant-..., "
         "x-amz-object-lock-..., x-amz-server-side-encryption and its -aws-kms-key-id, -context "
         "and -bucket-key-enabled, x-amz-tagging; and with every request: "
         "x-amz-expected-bucket-owner, x-amz-request-payer. Lines, or ';' between them."},
    {ROW("CONFOMEET_S3_CONTENT_MD5", BUCKET, BOOLEAN, s3_content_md5), .default_text = "off",
     .help = "Sends a Content-MD5 with every part. Buckets with object lock demand it."},
    {ROW("CONFOMEET_S3_CONDITIONAL_WRITES", BUCKET, BOOLEAN, s3_conditional_writes),
     .default_text = "off",
     .help = "Sends If-None-Match, so that the server itself refuses to overwrite an object. "
             "Not every server understands it."},
    {ROW("CONFOMEET_S3_PART_SIZE", BUCKET, SIZE, s3_part_size_bytes), .default_text = "8MiB",
     .min = 5 * MIB, .max = 5 * GIB,
     .help = "The size of an upload's parts. Those above 8,900 are larger, so that 10,000 "
             "suffice."},
    {ROW("CONFOMEET_S3_MAX_OBJECT_SIZE", BUCKET, SIZE, s3_max_object_bytes), .default_text = "5TiB",
     .min = 5 * MIB, .max = 50000 * GIB, /* 10,000 parts of 5 GiB */
     .help = "The largest object that the service takes."},
    {ROW("CONFOMEET_S3_PARALLEL", BUCKET, COUNT, s3_parallel), .default_text = "20", .min = 1,
     .max = SETTINGS_MOST_PARALLEL,
     .help = "The maximum number of requests at once. Fewer are used where they are as fast, and "
             "when the server answers SlowDown. More help where a server limits each connection; "
             "over TLS each takes another 80 KiB of memory."},
    {ROW("CONFOMEET_S3_CONNECT_TIMEOUT", BUCKET, DURATION, s3_connect_timeout_ms),
     .default_text = "10s", .min = SECOND, .max = 5 * MINUTE,
     .help = "How long a connection to the service may take to be made."},
    {ROW("CONFOMEET_S3_IDLE_TIMEOUT", BUCKET, DURATION, s3_idle_timeout_ms), .default_text = "1min",
     .min = SECOND, .max = HOUR,
     .help = "How long a connection may transfer nothing before it is given up."},
    {ROW("CONFOMEET_S3_RETRY_FOR", BUCKET, DURATION, s3_retry_for_ms), .default_text = "2min",
     .min = 0, .max = DAY,
     .help = "How long after a failure requests are retried, without any success, before the "
             "upload is left for later. The last try may take its own time-outs longer. Parts that "
             "were sent are not sent again."},
    {ROW("CONFOMEET_S3_RATE_LIMIT", BUCKET, RATE, s3_rate_limit), .default_text = "0", .min = 1024,
     .max = UINT64_MAX, .example = "20Mbit",
     .help = "The most that is sent in a second, in bytes (2MiB) or bits (20Mbit); 0 is no "
             "limit."},
    /* the network */
    {ROW("CONFOMEET_CA_FILE", NETWORK, TEXT, ca_file), .unset_text = "the system's",
     .check = settings_check_path, .form = "path", .expected = "an absolute path",
     .example = "/etc/ssl/certs/own-ca.pem",
     .help =
         "A file with the certificates (PEM) of the authorities that servers are checked against."},
    {ROW("CONFOMEET_PROXY", NETWORK, TEXT, proxy), .unset_text = "https_proxy or all_proxy",
     .check = settings_check_proxy, .form = "URL",
     .expected = "a URL as http://host:port or http://user:password@host:port, of http, https, "
                 "socks5 or socks5h",
     .example = "http://proxy.example.org:3128", .secret = true,
     .file_name = "CONFOMEET_PROXY_FILE", .help = "The proxy that requests go through."},
    /* the backend */
    {ROW("CONFOMEET_BASE_URL", BACKEND, TEXT, base_url), .unset_text = "http://$XMPP_DOMAIN/meet",
     .check = settings_check_url, .form = "URL",
     .expected = "a URL as https://meet.example.org/meet, without user name, query and fragment",
     .example = "https://meet.example.org/meet", .secret_signs = "@",
     .left_out = "Left out, as in ConfOMeet's own jibri.yml: the notice goes to "
                 "http://$XMPP_DOMAIN/meet. With an address of https its certificate has to be one "
                 "that is known here: CONFOMEET_CA_FILE.",
     .help = "The address of the ConfOMeet backend, which is notified of every recording."},
    {ROW("XMPP_DOMAIN", BACKEND, TEXT, xmpp_domain), .unset_text = "none",
     .check = settings_check_host, .form = "host", .expected = "a host name, or host:port",
     .example = "meet.example.org", .secret_signs = "@", .in_example = true,
     .help = "The installation's host name, which the backend's address is made of where "
             "CONFOMEET_BASE_URL is not set."},
    {ROW("CONFOMEET_BACKEND_TOKEN", BACKEND, TEXT, backend_token), .unset_text = "none",
     .check = settings_check_token, .form = "text", .expected = "printable ASCII without blanks",
     .example = "put-the-token-here", .secret = true, .file_name = "CONFOMEET_BACKEND_TOKEN_FILE",
     .help = "A token that is sent to the backend, as Authorization: Bearer."},
    {ROW("CONFOMEET_NOTICE", BACKEND, BOOLEAN, notice), .default_text = "on",
     .help = "Whether the backend is notified of recordings."},
    {ROW("CONFOMEET_BACKEND_TIMEOUT", BACKEND, DURATION, backend_timeout_ms), .default_text = "30s",
     .min = SECOND, .max = 10 * MINUTE, .help = "How long the backend may take to answer."},
    /* this machine */
    {ROW("CONFOMEET_RECORDINGS_DIR", MACHINE, TEXT, recordings_dir), .alias = "JIBRI_RECORDING_DIR",
     .unset_text = "the session's parent", .check = settings_check_path, .form = "path",
     .expected = "an absolute path", .example = "/config/recordings",
     .help = "The directory that Jibri makes its session directories in."},
    {ROW("CONFOMEET_CRASH_SAFE", MACHINE, BOOLEAN, crash_safe), .default_text = "on",
     .help = "Recordings are written in fragments, so that they play up to the last second "
             "whatever ends ffmpeg. Read from the environment of Jibri, whose ffmpeg is to be "
             "the one in /usr/lib/jibri-finalize."},
    {ROW("CONFOMEET_MEDIA", MACHINE, TEXT, media), .default_text = SETTINGS_MEDIA,
     .check = settings_check_media, .form = "list",
     .expected = "endings of file names as mp4,mkv: letters and digits, with commas between "
                 "them, at most 200 bytes in all",
     .example = "mp4,mkv,ts",
     .help = "The endings of files that count as media, in any case of letters. The backend is "
             "notified of media; the other files of a session are uploaded with them."},
    {ROW("CONFOMEET_JOURNAL", MACHINE, TEXT, journal), .unset_text = "beside the recordings",
     .check = settings_check_path, .form = "path", .expected = "an absolute path",
     .example = "/var/lib/jibri-finalize/journal.db",
     .help = "The file that records what was done and what is to be done. Put it on a disk "
             "that outlives the container, one for each Jibri. When it is not set, the file is "
             ".jibri-finalize/journal.db in the recordings directory."},
    {ROW("JIBRI_INSTANCE_ID", MACHINE, TEXT, instance_id), .unset_text = "none",
     .check = settings_check_name, .form = "name",
     .expected = "1 to 128 letters, digits, '.', '-' and '_'", .example = "jibri-1",
     .help = "The name of this Jibri. Fills in {instance} in CONFOMEET_S3_KEY_PREFIX."},
    {ROW("CONFOMEET_FINALIZE_WAIT", MACHINE, DURATION, finalize_wait_ms), .default_text = "10min",
     .max = 7 * DAY,
     .help = "How long an upload may keep Jibri waiting. The rest is done later, by the watcher "
             "where one runs; 0 hands over to a running watcher at once. Aborting uploads may keep "
             "abandon as long."},
    {ROW("CONFOMEET_KEEP_LOCAL", MACHINE, KEEP, keep_local_ms), .default_text = "nothing",
     .max = 3650 * DAY, .example = "48h",
     .help = "How long local files are kept once they are in the bucket and the backend knows: "
             "nothing, forever, or a time such as 48h; a bare number counts hours."},
    {ROW("CONFOMEET_LOG_LEVEL", MACHINE, CHOICE, log_level), .default_text = "info",
     .choices = log_levels, .help = "The least important messages that are logged."},
    {ROW("CONFOMEET_LOG_FORMAT", MACHINE, CHOICE, log_format), .default_text = "text",
     .choices = log_formats,
     .help = "Whether messages are logged as text or as one JSON object a line."},
    /* the watcher */
    {ROW("CONFOMEET_LIVE_UPLOAD", WATCHER, BOOLEAN, live_upload), .default_text = "on",
     .help = "Sends the finished parts of a recording while Jibri still records, so that little "
             "is left when the meeting ends."},
    {ROW("CONFOMEET_LIVE_RATE_LIMIT", WATCHER, RATE, live_rate_limit), .default_text = "20Mbit",
     .min = 1024, .max = UINT64_MAX, .example = "5MiB",
     .help = "The most that is sent while Jibri records, in bytes a second or as in 20Mbit; 0 is "
             "no limit. It has to be higher than the rate at which a recording grows."},
    {ROW("CONFOMEET_RETRY_MIN", WATCHER, DURATION, retry_min_ms), .default_text = "30s",
     .min = SECOND, .max = DAY,
     .help = "How long the watcher waits before it tries again what failed. The pause doubles "
             "with every try, up to CONFOMEET_RETRY_MAX."},
    {ROW("CONFOMEET_RETRY_MAX", WATCHER, DURATION, retry_max_ms), .default_text = "1h",
     .min = SECOND, .max = 7 * DAY,
     .help = "The longest pause between two tries. What needs a person is tried again at this "
             "pace."},
    {ROW("CONFOMEET_ORPHAN_AFTER", WATCHER, DURATION, orphan_after_ms), .default_text = "10min",
     .min = SECOND, .max = 7 * DAY,
     .help = "How long a session directory has to be quiet, and without a writer, before the "
             "watcher finalizes it itself."},
    {ROW("CONFOMEET_JOURNAL_KEEP", WATCHER, KEEP, journal_keep_ms), .default_text = "30d",
     .max = 3650 * DAY,
     .help = "How long the journal keeps recordings that are done: nothing, forever, or a "
             "time such as 30d; a bare number counts hours."},
    {ROW("CONFOMEET_DISK_WARNING", WATCHER, DURATION, disk_warning_ms), .default_text = "4h",
     .max = 30 * DAY,
     .help = "The watcher warns when the recordings disk will be full within this time at the "
             "current rate; 0 is never."},
    {ROW("CONFOMEET_STATUS_LISTEN", WATCHER, TEXT, status_listen), .default_text = "127.0.0.1:9469",
     .check = settings_check_listen, .form = "address or off",
     .expected = "off, or an address and a port as 127.0.0.1:9469 or [::1]:9469",
     .example = "0.0.0.0:9469",
     .help = "Where the watcher answers over HTTP: status page, JSON, metrics, health; off is "
             "nowhere. Beyond 127.0.0.1, set CONFOMEET_STATUS_TOKEN as well."},
    {ROW("CONFOMEET_STATUS_TOKEN", WATCHER, TEXT, status_token), .unset_text = "none",
     .check = settings_check_token, .form = "text", .expected = "printable ASCII without blanks",
     .example = "put-the-token-here", .secret = true, .file_name = "CONFOMEET_STATUS_TOKEN_FILE",
     .help = "A token that the watcher asks for, as Authorization: Bearer, before it shows "
             "recordings or metrics."},
    {ROW("CONFOMEET_WEBHOOK_URL", WATCHER, TEXT, webhook_url), .unset_text = "none",
     .check = settings_check_url, .form = "URL",
     .expected = "a URL as https://host/path, without user name, query and fragment",
     .example = "https://example.org/jibri-events", .secret = true,
     .file_name = "CONFOMEET_WEBHOOK_URL_FILE",
     .help = "An address that receives an event, as JSON by POST, when a recording was uploaded, "
             "failed or recovered."},
    {ROW("CONFOMEET_WEBHOOK_SECRET", WATCHER, TEXT, webhook_secret), .unset_text = "not signed",
     .check = settings_check_token, .form = "text", .expected = "printable ASCII without blanks",
     .example = "put-the-secret-here", .secret = true, .file_name = "CONFOMEET_WEBHOOK_SECRET_FILE",
     .help = "The key that these events are signed with (HMAC-SHA256)."},
};

const size_t settings_table_length = sizeof settings_table / sizeof settings_table[0];

_Static_assert(sizeof settings_table / sizeof settings_table[0] <= SETTINGS_MAX_ROWS,
               "SETTINGS_MAX_ROWS is too small");

const struct settings_row *settings_table_find(const char *name)
{
    for (size_t i = 0; i < settings_table_length; i++) {
        if (strcmp(settings_table[i].name, name) == 0)
            return &settings_table[i];
    }
    return NULL;
}

const char *settings_table_group_title(enum settings_group group)
{
    static const char *const titles[SETTINGS_GROUPS] = {
        [SETTINGS_GROUP_BUCKET] = "The bucket",   [SETTINGS_GROUP_NETWORK] = "The network",
        [SETTINGS_GROUP_BACKEND] = "The backend", [SETTINGS_GROUP_MACHINE] = "This machine",
        [SETTINGS_GROUP_WATCHER] = "The watcher",
    };
    return titles[group];
}
