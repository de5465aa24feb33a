#include "watcher/worker.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STOP_TICK_MS 100u

const char *const worker_names[WORKER_KINDS + 1] = {[WORKER_SEND_PARTS] = "send-parts",
                                                    [WORKER_FINALIZE] = "finalize",
                                                    [WORKER_PROBE] = "probe",
                                                    [WORKER_HOUSEKEEPING] = "housekeeping",
                                                    [WORKER_EVENTS] = "events"};

static struct worker *find(struct workers *workers, pid_t pid)
{
    for (unsigned i = 0; i < WORKER_MOST; i++)
        if (workers->list[i].pid == pid)
            return &workers->list[i];
    return NULL;
}

/* The signals that the watcher waits for come to it alone. */
static int spawn(pid_t *ret_pid, char *const *arguments)
{
    posix_spawnattr_t attributes;
    sigset_t none;
    int status = posix_spawnattr_init(&attributes);

    if (status)
        return status;
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    status = posix_spawn(ret_pid, "/proc/self/exe", NULL, &attributes, arguments, environ);
    posix_spawnattr_destroy(&attributes);
    return status;
}

bool worker_start(struct workers *workers, enum worker_kind kind, const char *subject,
                  const char *config, struct error *err)
{
    /* posix_spawn() takes strings that are not const, and leaves them alone. */
    const char *with_config[] = {"jibri-watcher",    "--config", config,  "--work",
                                 worker_names[kind], "--",       subject, NULL};
    const char *without[] = {"jibri-watcher", "--work", worker_names[kind], "--", subject, NULL};
    struct worker *worker = find(workers, 0);
    int status;

    if (!worker)
        return error_set(err, ERROR_TRANSIENT, "too many workers at once");
    worker->subject = strdup(subject);
    if (!worker->subject)
        return error_set(err, ERROR_TRANSIENT, "no memory for a worker");
    status = spawn(&worker->pid, (char *const *)(config ? with_config : without));
    if (status) {
        worker->pid = 0;
        free(worker->subject);
        return error_set_errno(err, ERROR_TRANSIENT, status, "cannot start a worker");
    }
    worker->kind = kind;
    return true;
}

unsigned worker_count(const struct workers *workers, enum worker_kind kind)
{
    unsigned count = 0;

    for (unsigned i = 0; i < WORKER_MOST; i++)
        count += workers->list[i].pid && workers->list[i].kind == kind;
    return count;
}

bool worker_collect(struct workers *workers, struct worker *ret_worker, int *ret_exit_code)
{
    struct worker *worker;
    int status;
    pid_t pid;

    do {
        pid = waitpid(-1, &status, WNOHANG);
        if (pid <= 0)
            return false;
        worker = find(workers, pid);
    } while (!worker);
    *ret_worker = *worker;
    *ret_exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    *worker = (struct worker){0};
    return true;
}

static bool any_left(const struct workers *workers)
{
    for (unsigned i = 0; i < WORKER_MOST; i++)
        if (workers->list[i].pid)
            return true;
    return false;
}

static void signal_all(const struct workers *workers, int signal_number)
{
    for (unsigned i = 0; i < WORKER_MOST; i++)
        if (workers->list[i].pid)
            kill(workers->list[i].pid, signal_number);
}

/* Waits for those that run (WNOHANG: if they have ended), and forgets them. */
static void wait_for_all(struct workers *workers, int options,
                         void (*ended)(void *context, const struct worker *worker), void *context)
{
    for (unsigned i = 0; i < WORKER_MOST; i++) {
        struct worker *worker = &workers->list[i];

        if (!worker->pid || !waitpid(worker->pid, NULL, options))
            continue;
        ended(context, worker);
        free(worker->subject);
        *worker = (struct worker){0};
    }
}

void worker_stop_all(struct workers *workers, unsigned patience_ms,
                     void (*ended)(void *context, const struct worker *worker), void *context)
{
    const struct timespec tick = {.tv_nsec = STOP_TICK_MS * 1000000L};
    sigset_t ends;

    sigemptyset(&ends);
    sigaddset(&ends, SIGCHLD);
    signal_all(workers, SIGTERM);
    for (unsigned waited_ms = 0; any_left(workers) && waited_ms < patience_ms;
         waited_ms += STOP_TICK_MS) {
        (void)sigtimedwait(&ends, NULL, &tick);
        wait_for_all(workers, WNOHANG, ended, context);
    }
    signal_all(workers, SIGKILL);
    wait_for_all(workers, 0, ended, context);
}
