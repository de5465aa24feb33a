#include "watcher/http/status_server.h"

#include "config/listen.h"
#include "finalize/base/clock.h"
#include "finalize/program/log.h"
#include "watcher/http/status_daemon.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LISTEN_AGAIN_MS 60000u
#define BACKLOG         16
#define THREAD_STACK    (256u * 1024)

struct status_server {
    union listen_address address;
    pthread_t thread;
    int wake_fd; /* readable: to be closed */
    /* Of the thread alone. */
    struct status_daemon *daemon; /* NULL: it cannot listen now */
    uint64_t listen_at_ms;
    bool told_taken;
    /* Of both. */
    pthread_mutex_t lock;
    struct status_facts facts; /* but for `now` and `silent_ms` */
    uint64_t reported_ms;
};

static void gather_facts(void *context, struct status_facts *ret_facts)
{
    struct status_server *server = context;

    pthread_mutex_lock(&server->lock);
    *ret_facts = server->facts;
    ret_facts->silent_ms = clock_now_ms() - server->reported_ms;
    pthread_mutex_unlock(&server->lock);
    ret_facts->now = time(NULL);
}

/* ---- listening ------------------------------------------------------------------------------- */

static int open_socket(const union listen_address *address)
{
    bool ipv6 = address->any.sa_family == AF_INET6;
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int on = 1;
    int failure;

    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        (!ipv6 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0) &&
        bind(fd, &address->any, ipv6 ? sizeof address->ipv6 : sizeof address->ipv4) == 0 &&
        listen(fd, BACKLOG) == 0)
        return fd;
    failure = errno;
    close(fd);
    errno = failure;
    return -1;
}

static void start_to_listen(struct status_server *server)
{
    const char *listen_on = server->facts.settings->status_listen;
    int fd = open_socket(&server->address);

    if (fd >= 0) {
        errno = ENOMEM;
        server->daemon = status_daemon_open(fd, gather_facts, server);
        if (!server->daemon)
            close(fd);
    }
    if (server->daemon) {
        log_line(SETTINGS_LOG_INFO, NULL, "status page and metrics at http://%s/", listen_on);
        server->told_taken = false;
        return;
    }
    server->listen_at_ms = clock_now_ms() + LISTEN_AGAIN_MS;
    if (!server->told_taken)
        log_line(SETTINGS_LOG_ERROR, NULL,
                 "cannot listen on %s (CONFOMEET_STATUS_LISTEN), so there is no status page and no "
                 "metrics: %s; it is tried again every minute",
                 listen_on, strerror(errno));
    server->told_taken = true;
}

/* ---- the thread ------------------------------------------------------------------------------ */

/* Milliseconds to wait; -1: until something happens. */
static int timeout_ms(const struct status_server *server)
{
    uint64_t now_ms = clock_now_ms();

    if (server->daemon)
        return status_daemon_timeout_ms(server->daemon);
    return server->listen_at_ms > now_ms ? (int)(server->listen_at_ms - now_ms) : 0;
}

static void *serve(void *context)
{
    struct status_server *server = context;
    struct pollfd fds[2] = {{.fd = server->wake_fd, .events = POLLIN}, {.events = POLLIN}};

    for (;;) {
        if (!server->daemon && clock_now_ms() >= server->listen_at_ms)
            start_to_listen(server);
        fds[1].fd = server->daemon ? status_daemon_fd(server->daemon) : -1;
        fds[0].revents = 0;
        if (poll(fds, 2, timeout_ms(server)) < 0 && errno != EINTR)
            break;
        if (fds[0].revents)
            break;
        if (server->daemon)
            status_daemon_run(server->daemon);
    }
    status_daemon_close(server->daemon);
    return NULL;
}

static int start_thread(struct status_server *server)
{
    sigset_t all, before;
    pthread_attr_t attributes;
    int failure = pthread_attr_init(&attributes);

    if (failure)
        return failure;
    sigfillset(&all);
    pthread_attr_setstacksize(&attributes, THREAD_STACK);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    failure = pthread_create(&server->thread, &attributes, serve, server);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return failure;
}

bool status_server_open(const struct settings *settings, const char *journal,
                        const char *recordings_dir, struct status_server **ret_server,
                        struct error *err)
{
    union listen_address address;
    struct status_server *server;
    int failure;

    if (!settings->status_listen || !listen_read(settings->status_listen, &address)) {
        *ret_server = NULL;
        return true;
    }
    if (!listen_is_loopback(&address) && (!settings->status_token || !*settings->status_token))
        log_line(SETTINGS_LOG_WARNING, NULL,
                 "everyone who can reach %s can read the names and states of recordings: set "
                 "CONFOMEET_STATUS_TOKEN",
                 settings->status_listen);
    server = calloc(1, sizeof *server);
    if (!server)
        return error_set(err, ERROR_TRANSIENT, "no memory for the status page");
    server->facts = (struct status_facts){
        .settings = settings, .journal = journal, .recordings_dir = recordings_dir};
    server->address = address;
    server->reported_ms = clock_now_ms();
    server->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    failure = server->wake_fd < 0 ? errno : 0;
    if (failure) {
        free(server);
        return error_set_errno(err, ERROR_TRANSIENT, failure, "no descriptor for the status page");
    }
    pthread_mutex_init(&server->lock, NULL);
    failure = start_thread(server);
    if (failure) {
        pthread_mutex_destroy(&server->lock);
        close(server->wake_fd);
        free(server);
        return error_set_errno(err, ERROR_TRANSIENT, failure, "no thread for the status page");
    }
    *ret_server = server;
    return true;
}

void status_server_close(struct status_server *server)
{
    if (!server)
        return;
    (void)eventfd_write(server->wake_fd, 1);
    pthread_join(server->thread, NULL);
    pthread_mutex_destroy(&server->lock);
    close(server->wake_fd);
    free(server);
}

void status_server_report(struct status_server *server, const struct status_loop_report *report)
{
    if (!server)
        return;
    pthread_mutex_lock(&server->lock);
    server->reported_ms = clock_now_ms();
    server->facts.reported = true;
    server->facts.loop = *report;
    pthread_mutex_unlock(&server->lock);
}
