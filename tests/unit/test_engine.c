#include "finalize/delivery/engine.h"

#include "finalize/base/clock.h"
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <check.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB       (UINT64_C(1) << 20)
#define BASE      (5 * MIB)
#define NOTICE_MS 2500  /* which a notice takes here, usually */
#define MOST_MS   20000 /* however slow the machine is */
#define MOST_HEAD 8192

/* ---- a server whose parts never end, and whose notices take their time -------------------------
 */

static int listener = -1, stop_fd = -1;
static uint16_t port;
static pthread_t server;
static atomic_uint part_requests, notices, notice_ms;

static bool readable(int fd, int timeout_ms)
{
    struct pollfd ready[] = {{.fd = fd, .events = POLLIN}, {.fd = stop_fd, .events = POLLIN}};

    return poll(ready, 2, timeout_ms) > 0 && !ready[1].revents;
}

static void read_all(int fd)
{
    char bytes[65536];

    while (readable(fd, -1) && recv(fd, bytes, sizeof bytes, 0) > 0)
        ;
}

static void answer(int fd, const char *status, const char *body)
{
    char reply[256];

    snprintf(reply, sizeof reply,
             "HTTP/1.1 %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s", status,
             strlen(body), body);
    (void)!send(fd, reply, strlen(reply), MSG_NOSIGNAL);
}

static void serve_one(int fd)
{
    char head[MOST_HEAD];
    size_t length = 0;

    while (length < sizeof head - 1 && readable(fd, -1) && recv(fd, head + length, 1, 0) == 1) {
        head[++length] = 0;
        if (length >= 4 && !memcmp(head + length - 4, "\r\n\r\n", 4))
            break;
    }
    if (!length)
        return;
    if (strstr(head, "partNumber=")) {
        part_requests++;
        read_all(fd); /* until the other side has enough */
    } else if (!strncmp(head, "POST ", 5)) {
        notices++;
        (void)readable(stop_fd, (int)notice_ms);
        answer(fd, "200 OK", "{\"id\": 7}");
    } else {
        answer(fd, "404 Not Found", "");
    }
}

static void *serve(void *context)
{
    (void)context;
    while (readable(listener, -1)) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

        if (fd < 0)
            break;
        serve_one(fd);
        close(fd);
    }
    return NULL;
}

static void start_server(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;

    part_requests = notices = 0;
    notice_ms = NOTICE_MS;
    stop_fd = eventfd(0, EFD_CLOEXEC);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(listener, 16), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    port = ntohs(address.sin_port);
    ck_assert_int_eq(pthread_create(&server, NULL, serve, NULL), 0);
}

static void stop_server(void)
{
    uint64_t one = 1;

    ck_assert_int_eq(write(stop_fd, &one, sizeof one), sizeof one);
    pthread_join(server, NULL);
    close(listener);
    close(stop_fd);
}

/* ---- one file on its way ----------------------------------------------------------------------
 */

static char base[64];
static char url[64];
static struct session_dir *recording;
static struct journal *journal;
static struct s3 *s3;
static struct loop *loop;
static struct settings settings;
static struct journal_file file;
static struct rng rng;
static struct error err;

static bool growing, given_out, stop, stops, gives_way;
static uint64_t stopped_ms;  /* when it was asked to stop, or 0 */
static uint64_t gave_way_ms; /* when it was asked to, or 0 */
static unsigned ended_count;

static void on_event(void *context, enum delivery_message event, const struct journal_file *row,
                     const char *sentence, const struct error *error)
{
    (void)context;
    (void)event;
    (void)row;
    (void)sentence;
    (void)error;
}

static bool on_next(void *context, struct delivery **ret_delivery, struct error *error)
{
    struct delivery_options options = {.settings = &settings,
                                       .journal = journal,
                                       .recording = recording,
                                       .s3 = s3,
                                       .rng = &rng,
                                       .main_media_name = "",
                                       .growing = growing,
                                       .event = on_event};

    (void)context;
    if (given_out)
        return true;
    given_out = true;
    return delivery_open(&options, &file, ret_delivery, error);
}

static bool on_ended(void *context, const struct delivery *delivery, struct error *error)
{
    (void)context;
    (void)delivery;
    (void)error;
    ended_count++;
    return true;
}

static void on_progress(void *context, uint64_t held, uint64_t kept, uint64_t under_way)
{
    (void)context;
    (void)held;
    (void)kept;
    (void)under_way;
}

static bool on_stop_requested(void *context)
{
    (void)context;
    if (stops && !stopped_ms && part_requests + notices)
        stopped_ms = clock_now_ms();
    return stop || stopped_ms;
}

/* Once a part or a notice is under way. */
static bool on_give_way(void *context)
{
    (void)context;
    if (!gave_way_ms && part_requests + notices)
        gave_way_ms = clock_now_ms();
    return gave_way_ms > 0;
}

static void set_up(void)
{
    char made[] = "/tmp/test_engine_XXXXXX";
    char session[128];

    setenv("no_proxy", "*", 1);
    start_server();
    ck_assert_ptr_nonnull(mkdtemp(made));
    strcpy(base, made);
    snprintf(session, sizeof session, "%s/session", base);
    ck_assert_int_eq(mkdir(session, 0755), 0);
    snprintf(url, sizeof url, "http://127.0.0.1:%u", port);
    settings = (struct settings){.s3_url = url,
                                 .s3_bucket = "recordings",
                                 .s3_region = "us-east-1",
                                 .s3_client_id = "id",
                                 .s3_client_secret = "secret",
                                 .s3_part_size_bytes = BASE,
                                 .s3_max_object_bytes = UINT64_C(5) << 40,
                                 .s3_parallel = 2,
                                 .s3_retry_for_ms = 1000,
                                 .base_url = url,
                                 .notice = true,
                                 .backend_timeout_ms = 60000,
                                 .s3_connect_timeout_ms = 5000,
                                 .s3_idle_timeout_ms = 60000};
    error_clear(&err);
    ck_assert_msg(session_dir_open(session, &recording, &err), "%s", err.text);
    ck_assert_msg(journal_open(":memory:", &journal, &err), "%s", err.text);
    ck_assert_msg(s3_open(&settings, &s3, &err), "%s", err.text);
    ck_assert_msg(loop_open(&settings, 0, NULL, &loop, &err), "%s", err.text);
    growing = given_out = stop = stops = false;
    stopped_ms = 0;
    gives_way = true;
    gave_way_ms = 0;
    ended_count = 0;
}

static void tear_down(void)
{
    loop_close(loop);
    s3_close(s3);
    journal_close(journal);
    session_dir_close(recording);
    stop_server();
    unit_remove(base);
}

static void add_file(uint64_t size_bytes, enum journal_phase phase)
{
    struct journal_recording row;
    char path[256];
    int fd;

    snprintf(path, sizeof path, "%s/1_a.mp4", session_dir_path(recording));
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    ck_assert_int_eq(ftruncate(fd, (off_t)size_bytes), 0);
    close(fd);
    ck_assert(journal_begin_recording(journal, session_dir_path(recording), "s", 1000, &row, &err));
    file = (struct journal_file){.recording_id = row.id,
                                 .path = "1_a.mp4",
                                 .media = true,
                                 .state = JOURNAL_FILE_PENDING,
                                 .mark = "00112233445566778899aabbccddeeff",
                                 .phase = phase,
                                 .object_bytes = size_bytes};
    if (phase == JOURNAL_PHASE_OPEN) {
        strcpy(file.key, "k");
        strcpy(file.upload_id, "u1");
        file.part_plan.base_bytes = BASE;
    }
    ck_assert(session_dir_open_file(recording, "1_a.mp4", &fd, &file.identity, &err));
    close(fd);
    ck_assert_msg(journal_add_file(journal, &file, &err), "%s", err.text);
}

static int unlink_file(void)
{
    char path[256];

    snprintf(path, sizeof path, "%s/1_a.mp4", session_dir_path(recording));
    return unlink(path);
}

/* One that the backend is still to be told of. */
static void add_uploaded(void)
{
    add_file(1000, JOURNAL_PHASE_NONE);
    file.state = JOURNAL_FILE_UPLOADED;
    file.notice = JOURNAL_NOTICE_DUE;
    strcpy(file.key, "k");
    strcpy(file.location, "elsewhere/bucket"); /* and there is no file: it is not looked for */
    ck_assert_int_eq(unlink_file(), 0);
    ck_assert_msg(journal_save_file(journal, &file, &err), "%s", err.text);
}

static void assert_notified_once(void)
{
    struct journal_file after;
    bool found;

    ck_assert_uint_eq(notices, 1);
    ck_assert_uint_eq(ended_count, 1);
    ck_assert(journal_find_file(journal, file.recording_id, "1_a.mp4", &after, &found, &err));
    ck_assert_int_eq(after.state, JOURNAL_FILE_SAFE);
    ck_assert_int_eq(after.backend_row, 7);
}

static enum engine_end run(uint64_t patience_ms)
{
    struct engine_source source = {
        .journal = journal, .next = on_next, .ended = on_ended, .progress = on_progress};
    struct engine_limits limits = {.parallel = 2,
                                   .deadline_ms = clock_now_ms() + patience_ms,
                                   .stop_requested = on_stop_requested,
                                   .give_way = gives_way ? on_give_way : NULL};
    enum engine_end end;

    ck_assert_msg(engine_run(loop, &source, &limits, &end, &err), "%s", err.text);
    return end;
}

START_TEST(a_part_under_way_is_given_up_after_a_second)
{
    uint64_t took_ms;

    growing = true;
    add_file(4 * BASE, JOURNAL_PHASE_OPEN);
    ck_assert_int_eq(run(MOST_MS), ENGINE_GAVE_WAY);
    took_ms = clock_now_ms() - gave_way_ms;
    ck_assert_uint_ge(took_ms, 1000); /* which it might have needed to its end */
    ck_assert_uint_lt(took_ms, MOST_MS / 2);
    ck_assert_uint_eq(ended_count, 0);
}
END_TEST

START_TEST(a_notice_under_way_is_waited_for)
{
    add_uploaded();
    ck_assert_int_eq(run(MOST_MS), ENGINE_ALL_ENDED);
    ck_assert_uint_ge(clock_now_ms() - gave_way_ms, NOTICE_MS - 500);
    assert_notified_once();
}
END_TEST

START_TEST(nothing_is_begun_when_another_process_waits_from_the_start)
{
    growing = true;
    gave_way_ms = 1;
    add_file(4 * BASE, JOURNAL_PHASE_OPEN);
    ck_assert_int_eq(run(MOST_MS), ENGINE_GAVE_WAY);
    ck_assert_uint_eq(part_requests, 0);
    ck_assert(!given_out);
}
END_TEST

START_TEST(one_that_does_not_give_way_goes_on_until_the_time_is_over)
{
    gives_way = false;
    growing = true;
    add_file(4 * BASE, JOURNAL_PHASE_OPEN);
    ck_assert_int_eq(run(1500), ENGINE_OUT_OF_TIME);
}
END_TEST

START_TEST(a_stop_does_not_wait_for_anything)
{
    stop = true;
    growing = true;
    add_file(4 * BASE, JOURNAL_PHASE_OPEN);
    ck_assert_int_eq(run(MOST_MS), ENGINE_STOPPED);
}
END_TEST

START_TEST(a_stop_does_not_wait_for_parts)
{
    stops = growing = true;
    gives_way = false;
    add_file(4 * BASE, JOURNAL_PHASE_OPEN);
    ck_assert_int_eq(run(MOST_MS), ENGINE_STOPPED);
    ck_assert_uint_lt(clock_now_ms() - stopped_ms, 2000);
}
END_TEST

/* 0: a stop; 1: the time is over. */
START_TEST(a_notice_under_way_is_waited_for_a_little_when_it_is_to_end)
{
    stops = _i == 0;
    gives_way = false;
    add_uploaded();
    ck_assert_int_eq(run(_i ? 1000 : MOST_MS), ENGINE_ALL_ENDED);
    assert_notified_once();
}
END_TEST

START_TEST(what_takes_longer_than_the_grace_is_dropped)
{
    uint64_t took_ms;

    notice_ms = MOST_MS;
    stops = true;
    gives_way = false;
    add_uploaded();
    ck_assert_int_eq(run(MOST_MS), ENGINE_STOPPED);
    took_ms = clock_now_ms() - stopped_ms;
    ck_assert_uint_ge(took_ms, ENGINE_GRACE_MS);
    ck_assert_uint_lt(took_ms, ENGINE_GRACE_MS + 2000);
}
END_TEST

START_TEST(a_file_that_grows_and_has_nothing_to_send_ends_without_a_request)
{
    growing = true;
    add_file(2 * BASE - 1, JOURNAL_PHASE_OPEN);
    ck_assert_int_eq(run(MOST_MS), ENGINE_ALL_ENDED);
    ck_assert_uint_eq(ended_count, 1);
    ck_assert_uint_eq(part_requests + notices, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("engine");
    TCase *cases = tcase_create("engine");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, a_part_under_way_is_given_up_after_a_second);
    tcase_add_test(cases, a_notice_under_way_is_waited_for);
    tcase_add_test(cases, nothing_is_begun_when_another_process_waits_from_the_start);
    tcase_add_test(cases, one_that_does_not_give_way_goes_on_until_the_time_is_over);
    tcase_add_test(cases, a_stop_does_not_wait_for_anything);
    tcase_add_test(cases, a_stop_does_not_wait_for_parts);
    tcase_add_loop_test(cases, a_notice_under_way_is_waited_for_a_little_when_it_is_to_end, 0, 2);
    tcase_add_test(cases, what_takes_longer_than_the_grace_is_dropped);
    tcase_add_test(cases, a_file_that_grows_and_has_nothing_to_send_ends_without_a_request);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
