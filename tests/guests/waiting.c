/* SPDX-License-Identifier: GPL-2.0-or-later */
/* epoll: many events in one call, events with all bits of data, arrays that end where memory does, counts out of range. */
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "check.h"

enum { MANY = 900 };

_Static_assert(sizeof(struct epoll_event) == 16, "arm64 does not pack it");

static uint64_t data_of(int i)
{
    return UINT64_C(0x9e3779b97f4a7c15) * (unsigned)(i + 1);
}

/** Adds descriptors that are ready at once; edge-triggered ones are reported once only. */
static int ready(int count, unsigned flags, int *descriptor)
{
    int epoll = epoll_create1(0);
    CHECK(epoll >= 0);
    for (int i = 0; i < count; i++) {
        struct epoll_event event = {.events = EPOLLIN | flags, .data.u64 = data_of(i)};
        descriptor[i] = eventfd(1, 0);
        CHECK_EQ(epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor[i], &event), 0);
    }
    return epoll;
}

static void end(int epoll, int count, const int *descriptor)
{
    for (int i = 0; i < count; i++)
        close(descriptor[i]);
    close(epoll);
}

/** One call reports as many as there are, and as many as are asked for; nothing behind them is written. */
static void many_events(void)
{
    static struct epoll_event event[MANY + 1];
    static int descriptor[MANY];
    int epoll = ready(MANY, EPOLLET, descriptor), seen = 0;
    for (int asked = 700; seen < MANY; asked = MANY) {
        memset(event, 0x55, sizeof event);
        int got = epoll_wait(epoll, event, asked, 0);
        CHECK_EQ(got, asked < MANY - seen ? asked : MANY - seen);
        if (got <= 0)
            break;
        for (int i = 0; i < got; i++, seen++) {
            CHECK_EQ(event[i].events, EPOLLIN);
            CHECK_EQ(event[i].data.u64, data_of(seen));
        }
        CHECK_EQ(event[got].events, 0x55555555);
        CHECK_EQ(event[got].data.u64, UINT64_C(0x5555555555555555));
    }
    CHECK_EQ(epoll_wait(epoll, event, MANY, 0), 0);
    end(epoll, MANY, descriptor);
}

/** What does not fit before the end of memory is not reported; it is an error only when nothing is. */
static void end_of_memory(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *memory = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED);
    CHECK_EQ(munmap(memory + page, page), 0);
    int descriptor[8], epoll = ready(8, 0, descriptor);
    for (int room = 0; room <= 8; room++) {
        struct epoll_event *event = (struct epoll_event *)(memory + page) - room;
        errno = 0;
        int got = epoll_wait(epoll, event, 8, 0);
        CHECK_EQ(got, room ? room : -1);
        CHECK_EQ(errno, room ? 0 : EFAULT);
        for (int i = 0; i < got; i++) {
            CHECK_EQ(event[i].events, EPOLLIN);
            bool known = false;
            for (int j = 0; j < 8; j++)
                known |= event[i].data.u64 == data_of(j);
            CHECK(known);
        }
    }
    end(epoll, 8, descriptor);
    munmap(memory, page);
}

static void counts(void)
{
    struct epoll_event event;
    int descriptor, epoll = ready(1, 0, &descriptor);
    const int wrong[] = {0, -1, INT_MIN, INT_MAX / 16 + 1, INT_MAX / 12, INT_MAX};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        errno = 0;
        CHECK_EQ(syscall(SYS_epoll_pwait, epoll, &event, wrong[i], 0, NULL, 8), -1);
        CHECK_EQ(errno, EINVAL);
    }
    CHECK_EQ(epoll_wait(epoll, &event, 1, -1), 1);
    CHECK_EQ(event.data.u64, data_of(0));
    end(epoll, 1, &descriptor);
}

int main(void)
{
    many_events();
    end_of_memory();
    counts();
    return check_result();
}
