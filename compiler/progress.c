/* SPDX-License-Identifier: MIT
 *
 * progress.c - two counters, and a thread that looks at them now and then.
 *
 * A drawing is one write, so that it is never half there. No colour is used,
 * so that NO_COLOR has nothing to switch off; a terminal that is called dumb
 * cannot wipe a line and counts as none.
 */
#include "progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define TICK_NANOSECONDS 100000000L
#define CELLS 10 /* of the bar */
#define LINE_SIZE 512
#define USUAL_COLUMNS 80
#define CLEAR "\033[K" /* from the cursor to the line's end */
#define WIPE "\r" CLEAR

bool progress_parse(const char *word, enum progress_when *out)
{
    static const char *const words[] = {"auto", "always", "never"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(word, words[i]) != 0)
            continue;
        *out = (enum progress_when)i;
        return true;
    }
    return false;
}

/* --- the text --- */

static uint64_t done_of(const struct progress *p)
{
    uint64_t n = atomic_load_explicit(&p->done, memory_order_relaxed);
    return n < p->plan.total ? n : p->plan.total;
}

/* In 0..parts, rounded down. */
static unsigned share(const struct progress *p, uint64_t done, unsigned parts)
{
    double x = p->plan.total == 0 ? 1 : (double)done / (double)p->plan.total;
    return done == p->plan.total ? parts : (unsigned)(x * parts);
}

struct unit {
    double size;
    const char *name;
};

static struct unit unit_for(double bytes)
{
    static const struct unit units[] = {
        {1099511627776.0, "TiB"}, {1073741824, "GiB"}, {1048576, "MiB"}};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (bytes >= units[i].size)
            return units[i];
    return (struct unit){1024, "KiB"};
}

static size_t limit(int written, size_t size)
{
    return written < 0              ? 0
           : (size_t)written < size ? (size_t)written
                                    : size - 1;
}

static size_t put_counts(const struct progress *p, double seconds, char *out,
                         size_t size)
{
    uint64_t done = done_of(p);
    struct unit of = unit_for((double)p->plan.total);
    double rate = seconds > 0 ? (double)done / seconds : 0;
    struct unit per = unit_for(rate);
    char bar[CELLS + 1] = {0};
    memset(bar, '-', CELLS);
    memset(bar, '#', share(p, done, CELLS));
    return limit(
        snprintf(out, size, "%s [%s] %3u %%  %.1f of %.1f %s  %.0f %s/s",
                 p->plan.verb, bar, share(p, done, 100), (double)done / of.size,
                 (double)p->plan.total / of.size, of.name, rate / per.size,
                 per.name),
        size);
}

/* Names are of the user's making: nothing of them may move a cursor. */
static void put_label(const struct progress *p, char *out, size_t size)
{
    struct progress_label l;
    if (p->plan.label == NULL)
        return;
    l = p->plan.label(p->plan.context, (uint32_t)atomic_load_explicit(
                                           &p->item, memory_order_relaxed));
    snprintf(out, size, "%s%.*s%s%.*s", l.group.n > 0 ? "  group " : "",
             STR_ARG(l.group), l.source.n > 0 ? "  " : "", STR_ARG(l.source));
    for (; *out != '\0'; out++)
        if (*out < 0x20 || *out > 0x7e)
            *out = '?';
}

size_t progress_line(const struct progress *p, double seconds, size_t columns,
                     char *out, size_t size)
{
    size_t n = put_counts(p, seconds, out, size);
    put_label(p, out + n, size - n);
    n = strlen(out);
    if (n > columns)
        n = columns;
    out[n] = '\0';
    return n;
}

/* --- drawing --- */

static double seconds_since(const struct timespec *began)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - began->tv_sec) +
           (double)(now.tv_nsec - began->tv_nsec) / 1e9;
}

/* A courtesy: nobody is told if it cannot be written. */
static void put(const char *p, size_t n)
{
    ssize_t written = write(STDERR_FILENO, p, n);
    (void)written;
}

static size_t columns_of(void)
{
    struct winsize w = {0};
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &w) != 0 || w.ws_col < 2)
        return USUAL_COLUMNS - 1;
    return (size_t)w.ws_col - 1; /* the last column may wrap */
}

static void draw_bar(const struct progress *p)
{
    char line[LINE_SIZE] = "\r";
    size_t n = 1 + progress_line(p, seconds_since(&p->began), columns_of(),
                                 line + 1, sizeof line - 8);
    memcpy(line + n, CLEAR, sizeof CLEAR - 1);
    put(line, n + sizeof CLEAR - 1);
}

/* A line whenever another tenth is done; several at once have one. */
static void draw_line(struct progress *p)
{
    char line[LINE_SIZE];
    unsigned tenths = share(p, done_of(p), 10);
    size_t n;
    if (tenths <= p->said)
        return;
    p->said = tenths;
    n = progress_line(p, seconds_since(&p->began), sizeof line, line,
                      sizeof line - 1);
    line[n] = '\n';
    put(line, n + 1);
}

static void draw(struct progress *p)
{
    if (p->style == PROGRESS_BAR)
        draw_bar(p);
    else
        draw_line(p);
}

static void *tick(void *argument)
{
    struct progress *p = argument;
    pthread_mutex_lock(&p->lock);
    while (!p->stopping) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += TICK_NANOSECONDS;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        pthread_cond_timedwait(&p->wake, &p->lock, &until);
        if (!p->stopping)
            draw(p);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* --- life --- */

static enum progress_style style_of(enum progress_when when)
{
    const char *term = getenv("TERM");
    bool terminal =
        isatty(STDERR_FILENO) == 1 && term != NULL && strcmp(term, "dumb") != 0;
    if (when == PROGRESS_NEVER)
        return PROGRESS_SILENT;
    if (terminal)
        return PROGRESS_BAR;
    return when == PROGRESS_ALWAYS ? PROGRESS_LINES : PROGRESS_SILENT;
}

static void start_thread(struct progress *p)
{
    pthread_condattr_t attr;
    if (pthread_condattr_init(&attr) != 0)
        return;
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, &attr);
    pthread_condattr_destroy(&attr);
    p->threaded = pthread_create(&p->thread, NULL, tick, p) == 0;
}

void progress_start(struct progress *p, const struct progress_plan *plan)
{
    *p = (struct progress){.plan = *plan, .style = style_of(plan->when)};
    if (p->style == PROGRESS_SILENT)
        return;
    clock_gettime(CLOCK_MONOTONIC, &p->began);
    if (p->style == PROGRESS_BAR)
        draw_bar(p);
    start_thread(p);
}

void progress_stop(struct progress *p)
{
    if (p->style == PROGRESS_SILENT)
        return;
    if (p->threaded) {
        pthread_mutex_lock(&p->lock);
        p->stopping = true;
        pthread_cond_signal(&p->wake);
        pthread_mutex_unlock(&p->lock);
        pthread_join(p->thread, NULL);
        pthread_cond_destroy(&p->wake);
        pthread_mutex_destroy(&p->lock);
    }
    if (p->style == PROGRESS_BAR)
        put(WIPE, sizeof WIPE - 1);
    else
        draw_line(p);
    p->style = PROGRESS_SILENT;
}
