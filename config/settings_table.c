#include "config/settings_table.h"

#include "config/settings.h"
#include "config/settings_checks.h"

#include <string.h>

#define FIELD(name) offsetof(struct settings, name)

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
    {
        .name = "CONFOMEET_S3_URL",
        .group = SETTINGS_GROUP_BUCKET,
        .offset = FIELD(s3_url),
        .check = settings_check_url,
        .form = "URL",
        .expected = "a URL as https://host, https://host:port or https://host/path, without user "
                    "name, query and fragment",
        .example = "https://storage.yandexcloud.net/",
        .secret_signs = "@",
        .required = true,
        .in_example = true,
        .help = "The address of the S3 service, without the bucket.",
    },
    {
        .name = "CONFOMEET_S3_BUCKET",
        .group = SETTINGS_GROUP_BUCKET,
        .offset = FIELD(s3_bucket),
        .check = settings_check_bucket,
        .form = "name",
        .expected = "the name of a bucket: 3 to 255 letters, digits, '.', '-' and '_', a letter or "
                    "digit first",
        .example = "recordings",
        .required = true,
        .in_example = true,
        .help = "The bucket that recordings are brought to. It has to exist.",
    },
    {
        .name = "CONFOMEET_S3_REGION",
        .group = SETTINGS_GROUP_BUCKET,
        .offset = FIELD(s3_region),
        .default_text = "us-east-1",
        .check = settings_check_name,
        .form = "name",
        .expected = "a region as ru-central1: letters, digits, '-', '_' and '.'",
        .example = "ru-central1",
        .in_example = true,
        .help = "The region that requests are signed for. Many services that are not Amazon's take "
                "any.",
    },
    {
        .name = "CONFOMEET_S3_CLIENT_ID",
        .group = SETTINGS_GROUP_BUCKET,
        .offset = FIELD(s3_client_id),
        .check = settings_check_client_id,
        .form = "text",
        .expected = "the access key's id: printable ASCII without blanks and '/'",
        .example = "put-the-key-id-here",
        .secret_signs = "/+= ",
        .required = true,
        .in_example = true,
        .help = "The id of the access key.",
    },
    {
        .name = "CONFOMEET_S3_CLIENT_SECRET",
        .group = SETTINGS_GROUP_BUCKET,
        .offset = FIELD(s3_client_secret),
        .check = settings_check_client_secret,
        .form = "text",
        .expected = "the access key's secret: no control characters, no blanks around it",
        .example = "put-the-secret-key-here",
        .required = true,
        .in_example = true,
        .secret = true,
        .file_name = "CONFOMEET_S3_CLIENT_SECRET_FILE",
        .help = "The secret of the access key.",
    },
    {
        .name = "CONFOMEET_S3_KEY_PREFIX",
        .group = SETTINGS_GROUP_BUCKET,
        .offset = FIELD(s3_key_prefix),
        .default_text = "",
        .check = settings_check_key_prefix,
        .form = "template",
        .expected = "at most 200 bytes of UTF-8 with no other braces than {session}, {instance}, "
                    "{meeting}, {yyyy}, {mm} and {dd}, no '/' at the beginning, no \"//\", no "
                    "\".\" or \"..\" between slashes, no control characters and none of "
                    ": * ? \" < > | ! \\",
        .example = "recordings/{yyyy}/{mm}/",
        .help = "What the key of every object begins with. {session}, {instance}, {meeting}, "
                "{yyyy}, {mm} and {dd} are filled in; end it with '/' to make it a folder.",
    },
    {
        .name = "CONFOMEET_S3_ADDRESSING",
        .group = SETTINGS_GROUP_BUCKET,
        .type = SETTINGS_CHOICE,
        .offset = FIELD(s3_addressing),
        .default_text = "path",
        .choices = addressings,
        .help = "Where the bucket's name stands in requests: in the path (https://host/bucket/key) "
                "or in the host's name (https://bucket.host/key).",
    },
    {
        .name = "CONFOMEET_S3_STORAGE_CLASS",
        .group = SETTINGS_GROUP_BUCKET,
        .offset = FIELD(s3_storage_class),
        .unset_text = "the bucket's own",
        .check = settings_check_storage_class,
        .form = "name",
        .expected = "a storage class as STANDARD_IA: capital letters, digits, '_' and '-'",
        .example = "STANDARD_IA",
        .help = "The storage class of the objects.",
    },
    {
        .name = "CONFOMEET_S3_METADATA",
        .group = SETTINGS_GROUP_BUCKET,
        .offset = FIELD(s3_metadata),
        .unset_text = "none",
        .check = settings_check_metadata,
        .form = "list",
        .expected = "name=value,name=value with names of a-z, 0-9 and '-', each once and none that "
                    "begins with \"jibri-\", values of printable ASCII without commas, at most "
                    "1KiB in all",
        .example = "department=sales,kept-by=archive",
        .help = "User metadata that is added to every object.",
    },
    {
        .name = "CONFOMEET_S3_CONTENT_MD5",
        .group = SETTINGS_GROUP_BUCKET,
        .type = SETTINGS_BOOLEAN,
        .offset = FIELD(s3_content_md5),
        .default_text = "off",
        .help = "Sends a Content-MD5 with every part. Buckets with object lock demand it.",
    },
    {
        .name = "CONFOMEET_S3_CONDITIONAL_WRITES",
        .group = SETTINGS_GROUP_BUCKET,
        .type = SETTINGS_BOOLEAN,
        .offset = FIELD(s3_conditional_writes),
        .default_text = "off",
        .help = "Sends If-None-Match, so that the server itself refuses to overwrite an object. "
                "Not every server understands it.",
    },
    {
        .name = "CONFOMEET_S3_PART_SIZE",
        .group = SETTINGS_GROUP_BUCKET,
        .type = SETTINGS_SIZE,
        .offset = FIELD(s3_part_size_bytes),
        .default_text = "8MiB",
        .min = 5 * MIB,
        .max = 5 * GIB,
        .help = "The size of an upload's first 500 parts. Later ones are larger, so that 10,000 "
                "suffice.",
    },
    {
        .name = "CONFOMEET_S3_MAX_OBJECT_SIZE",
        .group = SETTINGS_GROUP_BUCKET,
        .type = SETTINGS_SIZE,
        .offset = FIELD(s3_max_object_bytes),
        .default_text = "5TiB",
        .min = 5 * MIB,
        .max = 50000 * GIB, /* 10,000 parts of 5 GiB */
        .help = "The largest object that the service takes.",
    },
    {
        .name = "CONFOMEET_S3_PARALLEL",
        .group = SETTINGS_GROUP_BUCKET,
        .type = SETTINGS_COUNT,
        .offset = FIELD(s3_parallel),
        .default_text = "20",
        .min = 1,
        .max = SETTINGS_MOST_PARALLEL,
        .help =
            "The most requests that may be under way at once. Fewer are, where they bring as much "
            "(a slow line that breaks loses less then), and when the server says SlowDown. More "
            "help where a server limits each connection; over TLS each takes another 80 KiB of "
            "memory.",
    },
    {
        .name = "CONFOMEET_S3_CONNECT_TIMEOUT",
        .group = SETTINGS_GROUP_BUCKET,
        .type = SETTINGS_DURATION,
        .offset = FIELD(s3_connect_timeout_ms),
        .default_text = "10s",
        .min = SECOND,
        .max = 5 * MINUTE,
        .help = "How long a connection to the service may take to be made.",
    },
    {
        .name = "CONFOMEET_S3_IDLE_TIMEOUT",
        .group = SETTINGS_GROUP_BUCKET,
        .type = SETTINGS_DURATION,
        .offset = FIELD(s3_idle_timeout_ms),
        .default_text = "1min",
        .min = SECOND,
        .max = HOUR,
        .help = "How long nothing may move on a connection before it is given up.",
    },
    {
        .name = "CONFOMEET_S3_RETRY_FOR",
        .group = SETTINGS_GROUP_BUCKET,
        .type = SETTINGS_DURATION,
        .offset = FIELD(s3_retry_for_ms),
        .default_text = "2min",
        .min = 0,
        .max = DAY,
        .help = "How long failing requests are tried again without any success before the upload "
                "is left for later. What was sent until then is not sent again.",
    },
    {
        .name = "CONFOMEET_S3_RATE_LIMIT",
        .group = SETTINGS_GROUP_BUCKET,
        .type = SETTINGS_RATE,
        .offset = FIELD(s3_rate_limit),
        .default_text = "0",
        .min = 1024,
        .max = UINT64_MAX,
        .example = "20Mbit",
        .help = "The most that is sent in a second, in bytes (2MiB) or bits (20Mbit); 0 is no "
                "limit.",
    },
    /* the network */
    {
        .name = "CONFOMEET_CA_FILE",
        .group = SETTINGS_GROUP_NETWORK,
        .offset = FIELD(ca_file),
        .unset_text = "the system's",
        .check = settings_check_path,
        .form = "path",
        .expected = "an absolute path",
        .example = "/etc/ssl/certs/own-ca.pem",
        .help = "A file of certificates (PEM) of the authorities that servers are checked by.",
    },
    {
        .name = "CONFOMEET_PROXY",
        .group = SETTINGS_GROUP_NETWORK,
        .offset = FIELD(proxy),
        .unset_text = "what https_proxy and all_proxy say",
        .check = settings_check_proxy,
        .form = "URL",
        .expected = "a URL as http://host:port or http://user:password@host:port, of http, https, "
                    "socks5 or socks5h",
        .example = "http://proxy.example.org:3128",
        .secret = true,
        .file_name = "CONFOMEET_PROXY_FILE",
        .help = "The proxy that requests go through.",
    },
    /* the backend */
    {
        .name = "CONFOMEET_BASE_URL",
        .group = SETTINGS_GROUP_BACKEND,
        .offset = FIELD(base_url),
        .unset_text = "http://$XMPP_DOMAIN/meet",
        .check = settings_check_url,
        .form = "URL",
        .expected = "a URL as https://meet.example.org/meet, without user name, query and fragment",
        .example = "https://meet.example.org/meet",
        .secret_signs = "@",
        .help = "The address of the ConfOMeet backend, which is told of every recording.",
    },
    {
        .name = "XMPP_DOMAIN",
        .group = SETTINGS_GROUP_BACKEND,
        .offset = FIELD(xmpp_domain),
        .unset_text = "none",
        .check = settings_check_host,
        .form = "host",
        .expected = "a host name, or host:port",
        .example = "meet.example.org",
        .secret_signs = "@",
        .in_example = true,
        .help = "The installation's host name, which the backend's address is made of where "
                "CONFOMEET_BASE_URL is not set.",
    },
    {
        .name = "CONFOMEET_BACKEND_TOKEN",
        .group = SETTINGS_GROUP_BACKEND,
        .offset = FIELD(backend_token),
        .unset_text = "none",
        .check = settings_check_token,
        .form = "text",
        .expected = "printable ASCII without blanks",
        .example = "put-the-token-here",
        .secret = true,
        .file_name = "CONFOMEET_BACKEND_TOKEN_FILE",
        .help = "A token that is sent to the backend, as Authorization: Bearer.",
    },
    {
        .name = "CONFOMEET_NOTICE",
        .group = SETTINGS_GROUP_BACKEND,
        .type = SETTINGS_BOOLEAN,
        .offset = FIELD(notice),
        .default_text = "on",
        .help = "Whether the backend is told of recordings.",
    },
    {
        .name = "CONFOMEET_BACKEND_TIMEOUT",
        .group = SETTINGS_GROUP_BACKEND,
        .type = SETTINGS_DURATION,
        .offset = FIELD(backend_timeout_ms),
        .default_text = "30s",
        .min = SECOND,
        .max = 10 * MINUTE,
        .help = "How long the backend may take to answer.",
    },
    /* this machine */
    {
        .name = "CONFOMEET_RECORDINGS_DIR",
        .alias = "JIBRI_RECORDING_DIR",
        .group = SETTINGS_GROUP_MACHINE,
        .offset = FIELD(recordings_dir),
        .unset_text = "the one above the session's",
        .check = settings_check_path,
        .form = "path",
        .expected = "an absolute path",
        .example = "/config/recordings",
        .help = "The directory that Jibri makes its session directories in.",
    },
    {
        .name = "CONFOMEET_MEDIA",
        .group = SETTINGS_GROUP_MACHINE,
        .offset = FIELD(media),
        .default_text = SETTINGS_MEDIA,
        .check = settings_check_media,
        .form = "list",
        .expected = "endings of file names as mp4,mkv: letters and digits, with commas between "
                    "them, at most 200 bytes in all",
        .example = "mp4,mkv,ts",
        .help = "The endings of files that count as media, in any case of letters. The backend is "
                "told of media; the other files of a session are uploaded with them.",
    },
    {
        .name = "CONFOMEET_JOURNAL",
        .group = SETTINGS_GROUP_MACHINE,
        .offset = FIELD(journal),
        .unset_text = ".jibri-finalize/journal.db in the recordings directory",
        .check = settings_check_path,
        .form = "path",
        .expected = "an absolute path",
        .example = "/var/lib/jibri-finalize/journal.db",
        .help = "The file that remembers what was done and what is to be done. Put it on a disk "
                "that outlives the container, one for each Jibri.",
    },
    {
        .name = "JIBRI_INSTANCE_ID",
        .group = SETTINGS_GROUP_MACHINE,
        .offset = FIELD(instance_id),
        .unset_text = "none",
        .check = settings_check_name,
        .form = "name",
        .expected = "1 to 128 letters, digits, '.', '-' and '_'",
        .example = "jibri-1",
        .help = "The name of this Jibri. Fills in {instance} in CONFOMEET_S3_KEY_PREFIX.",
    },
    {
        .name = "CONFOMEET_FINALIZE_WAIT",
        .group = SETTINGS_GROUP_MACHINE,
        .type = SETTINGS_DURATION,
        .offset = FIELD(finalize_wait_ms),
        .default_text = "10min",
        .max = 7 * DAY,
        .help = "How long Jibri may be held by an upload. What is left then is done later, by the "
                "watcher where one runs; 0 hands over to a running watcher at once.",
    },
    {
        .name = "CONFOMEET_KEEP_LOCAL",
        .group = SETTINGS_GROUP_MACHINE,
        .type = SETTINGS_KEEP,
        .offset = FIELD(keep_local_ms),
        .default_text = "nothing",
        .max = 3650 * DAY,
        .example = "48h",
        .help = "How long local files are kept once they are in the bucket and the backend knows: "
                "nothing, forever, or a time such as 48h; a bare number counts hours.",
    },
    {
        .name = "CONFOMEET_LOG_LEVEL",
        .group = SETTINGS_GROUP_MACHINE,
        .type = SETTINGS_CHOICE,
        .offset = FIELD(log_level),
        .default_text = "info",
        .choices = log_levels,
        .help = "The least important messages that are logged.",
    },
    {
        .name = "CONFOMEET_LOG_FORMAT",
        .group = SETTINGS_GROUP_MACHINE,
        .type = SETTINGS_CHOICE,
        .offset = FIELD(log_format),
        .default_text = "text",
        .choices = log_formats,
        .help = "Whether messages are logged as text or as one JSON object a line.",
    },
    /* the watcher */
    {
        .name = "CONFOMEET_LIVE_UPLOAD",
        .group = SETTINGS_GROUP_WATCHER,
        .type = SETTINGS_BOOLEAN,
        .offset = FIELD(live_upload),
        .default_text = "on",
        .help = "Sends the finished parts of a recording while Jibri still records, so that little "
                "is left when the meeting ends.",
    },
    {
        .name = "CONFOMEET_LIVE_RATE_LIMIT",
        .group = SETTINGS_GROUP_WATCHER,
        .type = SETTINGS_RATE,
        .offset = FIELD(live_rate_limit),
        .default_text = "20Mbit",
        .min = 1024,
        .max = UINT64_MAX,
        .example = "5MiB",
        .help = "How much may be sent while Jibri records, in bytes a second or as in 20Mbit; 0 is "
                "no limit. It has to be above what a recording grows by.",
    },
    {
        .name = "CONFOMEET_RETRY_MIN",
        .group = SETTINGS_GROUP_WATCHER,
        .type = SETTINGS_DURATION,
        .offset = FIELD(retry_min_ms),
        .default_text = "30s",
        .min = SECOND,
        .max = DAY,
        .help = "How long the watcher waits before it tries again what failed. The pause doubles "
                "with every try, up to CONFOMEET_RETRY_MAX.",
    },
    {
        .name = "CONFOMEET_RETRY_MAX",
        .group = SETTINGS_GROUP_WATCHER,
        .type = SETTINGS_DURATION,
        .offset = FIELD(retry_max_ms),
        .default_text = "1h",
        .min = SECOND,
        .max = 7 * DAY,
        .help = "The longest pause between two tries. What needs a person is tried again at this "
                "pace.",
    },
    {
        .name = "CONFOMEET_ORPHAN_AFTER",
        .group = SETTINGS_GROUP_WATCHER,
        .type = SETTINGS_DURATION,
        .offset = FIELD(orphan_after_ms),
        .default_text = "10min",
        .min = SECOND,
        .max = 7 * DAY,
        .help = "How long a session directory has to be quiet, and without a writer, before the "
                "watcher finalizes it itself.",
    },
    {
        .name = "CONFOMEET_JOURNAL_KEEP",
        .group = SETTINGS_GROUP_WATCHER,
        .type = SETTINGS_KEEP,
        .offset = FIELD(journal_keep_ms),
        .default_text = "30d",
        .max = 3650 * DAY,
        .help = "How long the journal remembers recordings that are done: nothing, forever, or a "
                "time such as 30d; a bare number counts hours.",
    },
    {
        .name = "CONFOMEET_DISK_WARNING",
        .group = SETTINGS_GROUP_WATCHER,
        .type = SETTINGS_DURATION,
        .offset = FIELD(disk_warning_ms),
        .default_text = "4h",
        .max = 30 * DAY,
        .help = "The watcher warns when the recordings disk will be full within this time at the "
                "current rate; 0 is never.",
    },
    {
        .name = "CONFOMEET_STATUS_LISTEN",
        .group = SETTINGS_GROUP_WATCHER,
        .offset = FIELD(status_listen),
        .default_text = "127.0.0.1:9469",
        .check = settings_check_listen,
        .form = "address or off",
        .expected = "off, or an address and a port as 127.0.0.1:9469 or [::1]:9469",
        .example = "0.0.0.0:9469",
        .help = "Where the watcher answers over HTTP: status page, JSON, metrics, health; off is "
                "nowhere. Beyond 127.0.0.1, set CONFOMEET_STATUS_TOKEN as well.",
    },
    {
        .name = "CONFOMEET_STATUS_TOKEN",
        .group = SETTINGS_GROUP_WATCHER,
        .offset = FIELD(status_token),
        .unset_text = "none",
        .check = settings_check_token,
        .form = "text",
        .expected = "printable ASCII without blanks",
        .example = "put-the-token-here",
        .secret = true,
        .file_name = "CONFOMEET_STATUS_TOKEN_FILE",
        .help = "A token that the watcher asks for, as Authorization: Bearer, before it shows "
                "recordings or metrics.",
    },
    {
        .name = "CONFOMEET_WEBHOOK_URL",
        .group = SETTINGS_GROUP_WATCHER,
        .offset = FIELD(webhook_url),
        .unset_text = "none",
        .check = settings_check_url,
        .form = "URL",
        .expected = "a URL as https://host/path, without user name, query and fragment",
        .example = "https://example.org/jibri-events",
        .secret = true,
        .file_name = "CONFOMEET_WEBHOOK_URL_FILE",
        .help = "An address that is told, as JSON by POST, when a recording was uploaded, failed "
                "or recovered.",
    },
    {
        .name = "CONFOMEET_WEBHOOK_SECRET",
        .group = SETTINGS_GROUP_WATCHER,
        .offset = FIELD(webhook_secret),
        .unset_text = "not signed",
        .check = settings_check_token,
        .form = "text",
        .expected = "printable ASCII without blanks",
        .example = "put-the-secret-here",
        .secret = true,
        .file_name = "CONFOMEET_WEBHOOK_SECRET_FILE",
        .help = "What these events are signed with (HMAC-SHA256).",
    },
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
