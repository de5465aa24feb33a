/*
 * shaped-link - a slow line between two network namespaces, for benchmarks.
 *
 *   shaped-link --netns NAME --netns NAME --rate-mbps N --delay-ms N
 *
 * Makes a device `link0` (TUN) in each of the two namespaces of `ip netns`, and carries packets
 * from the one to the other: at most N megabit a second (1e6 bit) in each direction, each packet N
 * ms late. Packets wait in line for at most a tenth of a second, as in a router; then they are
 * dropped. Prints "ready" when both devices are there; addresses are the caller's to give. Ends
 * when it is killed, and the devices with it. Kernels have queues that do this (netem), but not all
 * of them.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define PACKET_BYTES 2048u
#define MAX_PACKETS  16384u /* on their way in one direction */
#define MOST_WAIT_NS UINT64_C(100000000)

struct packet {
    uint64_t arrives_ns;
    size_t length;
    uint8_t bytes[PACKET_BYTES];
};

/* Packets of one direction: a ring, in the order in which they arrive. */
struct direction {
    int from, to;
    uint64_t free_ns; /* when the line can take the next packet */
    unsigned first, count;
    struct packet *packets;
};

static double rate_mbps;
static uint64_t delay_ns;

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static int make_device(const char *netns)
{
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    char path[256];
    int namespace, device;

    snprintf(path, sizeof path, "/run/netns/%s", netns);
    namespace = open(path, O_RDONLY | O_CLOEXEC);
    if (namespace < 0 || setns(namespace, CLONE_NEWNET))
        die(path);
    close(namespace);
    device = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    snprintf(request.ifr_name, sizeof request.ifr_name, "link0");
    if (device < 0 || ioctl(device, TUNSETIFF, &request))
        die("/dev/net/tun");
    return device;
}

static void take_packets(struct direction *direction)
{
    while (direction->count < MAX_PACKETS) {
        unsigned index = (direction->first + direction->count) % MAX_PACKETS;
        struct packet *packet = &direction->packets[index];
        ssize_t length = read(direction->from, packet->bytes, sizeof packet->bytes);
        uint64_t now = now_ns();

        if (length <= 0)
            return;
        if (direction->free_ns > now + MOST_WAIT_NS)
            continue; /* dropped */
        if (direction->free_ns < now)
            direction->free_ns = now;
        direction->free_ns += (uint64_t)((double)length * 8000 / rate_mbps);
        packet->length = (size_t)length;
        packet->arrives_ns = direction->free_ns + delay_ns;
        direction->count++;
    }
}

static void deliver_packets(struct direction *direction)
{
    while (direction->count && direction->packets[direction->first].arrives_ns <= now_ns()) {
        const struct packet *packet = &direction->packets[direction->first];

        if (write(direction->to, packet->bytes, packet->length) < 0 && errno == EIO)
            return; /* the device is not up yet, or no more */
        direction->first = (direction->first + 1) % MAX_PACKETS;
        direction->count--;
    }
}

static uint64_t next_arrival(const struct direction *directions)
{
    uint64_t next = UINT64_MAX;

    for (unsigned i = 0; i < 2; i++)
        if (directions[i].count && directions[i].packets[directions[i].first].arrives_ns < next)
            next = directions[i].packets[directions[i].first].arrives_ns;
    return next;
}

static void carry(struct direction *directions)
{
    for (;;) {
        struct pollfd ready[2] = {{.fd = directions[0].from, .events = POLLIN},
                                  {.fd = directions[1].from, .events = POLLIN}};
        uint64_t next = next_arrival(directions), now = now_ns();
        uint64_t wait = next <= now ? 0 : next - now;
        struct timespec timeout = {(time_t)(wait / 1000000000), (long)(wait % 1000000000)};

        if (ppoll(ready, 2, next == UINT64_MAX ? NULL : &timeout, NULL) < 0 && errno != EINTR)
            die("ppoll");
        for (unsigned i = 0; i < 2; i++) {
            take_packets(&directions[i]);
            deliver_packets(&directions[i]);
        }
    }
}

int main(int argc, char **argv)
{
    struct direction directions[2] = {0};
    const char *netns[2];
    unsigned count = 0;

    for (int i = 1; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], "--netns") && count < 2)
            netns[count++] = argv[i + 1];
        else if (!strcmp(argv[i], "--rate-mbps"))
            rate_mbps = atof(argv[i + 1]);
        else if (!strcmp(argv[i], "--delay-ms"))
            delay_ns = (uint64_t)(atof(argv[i + 1]) * 1e6);
    }
    if (count != 2 || rate_mbps <= 0) {
        fprintf(stderr,
                "usage: shaped-link --netns NAME --netns NAME --rate-mbps N --delay-ms N\n");
        return 2;
    }
    for (unsigned i = 0; i < 2; i++) {
        directions[i].from = make_device(netns[i]);
        directions[i].packets = calloc(MAX_PACKETS, sizeof *directions[i].packets);
        if (!directions[i].packets)
            die("calloc");
    }
    directions[0].to = directions[1].from;
    directions[1].to = directions[0].from;
    printf("ready\n");
    fflush(stdout);
    carry(directions);
}
