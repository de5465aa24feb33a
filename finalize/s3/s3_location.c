#include "finalize/s3/s3_location.h"

#include <stdio.h>
#include <string.h>

void s3_location_write(const struct settings *settings, char ret_location[S3_LOCATION_SIZE])
{
    const char *url = settings->s3_url ? settings->s3_url : "";
    const char *bucket = settings->s3_bucket ? settings->s3_bucket : "";
    const char *scheme_end = strstr(url, "://");
    const char *server = scheme_end ? scheme_end + 3 : url;
    size_t length = strlen(server);
    size_t most = S3_LOCATION_SIZE - 2 - strnlen(bucket, S3_LOCATION_SIZE - 2);

    while (length && server[length - 1] == '/')
        length--;
    snprintf(ret_location, S3_LOCATION_SIZE, "%.*s/%s", (int)(length < most ? length : most),
             server, bucket);
}

const char *s3_location_bucket(const char *location)
{
    const char *slash = strrchr(location, '/');

    return slash ? slash + 1 : location;
}

bool s3_location_is_reached(const char *location, const struct settings *settings)
{
    char current[S3_LOCATION_SIZE];
    size_t server_length = (size_t)(s3_location_bucket(location) - location);

    s3_location_write(settings, current);
    return !*location || (server_length == (size_t)(s3_location_bucket(current) - current) &&
                          !strncmp(location, current, server_length));
}
