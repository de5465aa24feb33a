#include "finalize/delivery/probe.h"

#include "finalize/base/clock.h"
#include "finalize/delivery/probe_private.h"
#include "finalize/notify/notice.h"

#include <stdio.h>
#include <string.h>

static void tell(struct probe *probe, struct probe_finding finding)
{
    probe->all_fine = probe->all_fine && finding.fine;
    probe->finding(&finding);
}

void probe_fine(struct probe *probe, const char *subject, const char *text)
{
    tell(probe, (struct probe_finding){.fine = true, .subject = subject, .text = text});
}

void probe_note(struct probe *probe, const char *subject, const char *text, const char *advice)
{
    tell(probe,
         (struct probe_finding){.fine = true, .subject = subject, .text = text, .advice = advice});
}

void probe_wrong(struct probe *probe, const char *subject, const char *text, const char *advice)
{
    tell(probe, (struct probe_finding){.subject = subject, .text = text, .advice = advice});
}

void probe_wrong_because(struct probe *probe, const char *subject, const struct error *error)
{
    tell(probe, (struct probe_finding){.subject = subject, .text = error->text, .error = error});
}

/* ---- the backend ----------------------------------------------------------------------------- */

/* A GET of the notice's address changes nothing. That it is answered at all is what can be known.
 */
static void probe_backend(struct probe *probe)
{
    struct http_request request;
    struct http_reply reply;
    struct buffer url;
    struct error error = ERROR_INIT;
    char text[640];
    bool answers;

    if (!probe->settings->notice) {
        probe_fine(probe, "backend", "notices are switched off (CONFOMEET_NOTICE)");
        return;
    }
    buffer_init(&url, 4096);
    notice_url(probe->settings, &url);
    http_request_init(&request, "GET");
    request.url = buffer_take(&url);
    request.idle_timeout_ms = probe->settings->backend_timeout_ms;
    request.reply_ceiling = 64u * 1024;
    if (!request.url) {
        probe_wrong(probe, "backend", "no memory for a request", "try again");
        return;
    }
    snprintf(text, sizeof text, "%.400s ", request.url);
    loop_exchange(probe->loop, &request, clock_now_ms() + PROBE_PATIENCE_MS, &reply);
    answers = reply.status && reply.failure != HTTP_FAILED_PROXY;
    if (answers)
        snprintf(text + strlen(text), sizeof text - strlen(text), "answers (status %d)",
                 reply.status);
    else
        snprintf(text + strlen(text), sizeof text - strlen(text), "does not answer: %.150s",
                 reply.detail);
    if (!answers && http_failed_network(reply.failure) != ERROR_NETWORK_NONE) {
        error_set(&error, ERROR_PERMANENT, "%s", text);
        error.network = http_failed_network(reply.failure);
        error.from_backend = true;
        probe_wrong_because(probe, "backend", &error);
    } else if (!answers)
        probe_wrong(probe, "backend", text,
                    "correct CONFOMEET_BASE_URL (or XMPP_DOMAIN), or see why the backend is down");
    else if (reply.status >= 300 && reply.status < 400)
        probe_wrong(
            probe, "backend", text,
            "set CONFOMEET_BASE_URL to the address it redirects to (a notice is not redirected)");
    else if (reply.status >= 500 && reply.status != 501)
        probe_wrong(probe, "backend", text, "see why the backend fails");
    else
        probe_fine(probe, "backend", text);
    http_reply_done(&reply);
}

bool probe_servers(const struct settings *settings, enum probe_extent extent,
                   void (*finding)(const struct probe_finding *finding))
{
    struct probe probe = {.settings = settings,
                          .finding = finding,
                          .all_fine = true,
                          .patience_ms = PROBE_PATIENCE_MS};
    struct error error = ERROR_INIT;

    if (!loop_open(settings, 0, NULL, &probe.loop, &error)) {
        probe_wrong_because(&probe, "network", &error);
        return false;
    }
    probe_bucket(&probe, extent);
    probe_backend(&probe);
    s3_close(probe.s3);
    loop_close(probe.loop);
    return probe.all_fine;
}
