#include "finalize/program/program.h"

#include "finalize/program/log.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

void program_begin(void)
{
    const struct rlimit none = {0, 0};

    prctl(PR_SET_NAME, program_invocation_short_name); /* a worker is run as /proc/self/exe */
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0);
    umask(077);
    signal(SIGPIPE, SIG_IGN);
}

void program_end(int code)
{
#ifdef SANITIZED
    exit(code); /* the sanitizers' own search for leaks is such a destructor */
#else
    fflush(NULL);
    _exit(code);
#endif
}

void program_stop_open(struct program_stop *stop)
{
    struct sigaction hangup = {.sa_handler = SIG_DFL};
    sigset_t stops;

    sigemptyset(&stops);
    sigaddset(&stops, SIGTERM);
    sigaddset(&stops, SIGINT);
    /* s6-overlay 1.22 sends it first when a container stops; under nohup it is ignored, but the
     * descriptor would report it. */
    sigaction(SIGHUP, NULL, &hangup);
    if (hangup.sa_handler != SIG_IGN)
        sigaddset(&stops, SIGHUP);
    sigprocmask(SIG_BLOCK, &stops, NULL);
    *stop = (struct program_stop){.fd = signalfd(-1, &stops, SFD_NONBLOCK | SFD_CLOEXEC)};
}

void program_stop_close(struct program_stop *stop)
{
    if (stop->fd >= 0)
        close(stop->fd);
    stop->fd = -1;
}

bool program_stop_requested(void *context)
{
    struct program_stop *stop = context;
    struct signalfd_siginfo info;

    /* Also the next ones: a descriptor that stays readable would keep the loop from waiting. */
    while (stop->fd >= 0 && read(stop->fd, &info, sizeof info) == (ssize_t)sizeof info)
        stop->requested = true;
    return stop->requested;
}

void program_say_warnings(const struct settings_problems *problems)
{
    for (char **line = problems->warnings; line && *line; line++)
        log_line(SETTINGS_LOG_WARNING, NULL, "%s", *line);
}

void program_say_problems(const struct settings_problems *problems)
{
    program_say_warnings(problems);
    for (char **line = problems->errors; line && *line; line++)
        log_line(SETTINGS_LOG_ERROR, NULL, "%s", *line);
    log_line(SETTINGS_LOG_ERROR, NULL,
             "the settings cannot be used%s; what to do: correct them (jibri-finalize settings "
             "NAME explains one), then call it again with the same directory",
             problems->errors && problems->errors[0] ? "" : ": no memory to read them");
}
