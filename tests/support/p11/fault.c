/* Making the page and writing rules into it. */
#include "tests/support/p11/fault.h"

#include "tests/support/must.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

static const char *const names[] = {
#define P11(name, ...) "C_" #name,
#include "tests/support/p11/functions.def"
#undef P11
};

void p11_fault_init(struct p11_fault *fault, const char *dir, const char *module)
{
    void *map;

    (void)snprintf(fault->path, sizeof(fault->path), "%s/p11fault.page", dir);
    fault->fd = open(fault->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    REQUIRE(fault->fd >= 0 && ftruncate(fault->fd, sizeof(*fault->page)) == 0, "no page");
    map = mmap(NULL, sizeof(*fault->page), PROT_READ | PROT_WRITE, MAP_SHARED, fault->fd, 0);
    REQUIRE(map != MAP_FAILED, "no page");
    fault->page = map;
    (void)snprintf(fault->page->module, sizeof(fault->page->module), "%s", module);
    REQUIRE(flock(fault->fd, LOCK_EX) == 0 && setenv(P11_PAGE_ENV, fault->path, 1) == 0, "no page");
}

void p11_fault_done(struct p11_fault *fault)
{
    (void)munmap(fault->page, sizeof(*fault->page));
    (void)close(fault->fd);
    (void)unlink(fault->path);
}

void p11_fault_set(struct p11_fault *fault, const struct p11_plan *plan)
{
    struct p11_rule *rule = fault->page->rules;

    while (rule < fault->page->rules + P11_RULES_MAX && rule->armed) {
        rule++;
    }
    REQUIRE(rule < fault->page->rules + P11_RULES_MAX, "too many rules");
    rule->plan = *plan;
    rule->seen = 0;
    rule->hits = 0;
    rule->armed = true;
}

void p11_fault_clear(struct p11_fault *fault)
{
    for (size_t i = 0; i < P11_RULES_MAX; i++) {
        fault->page->rules[i].armed = false;
    }
}

void p11_fault_release(struct p11_fault *fault)
{
    REQUIRE(flock(fault->fd, LOCK_UN) == 0, "cannot let go");
}

uint64_t p11_fault_hits(const struct p11_fault *fault)
{
    uint64_t hits = 0;

    for (size_t i = 0; i < P11_RULES_MAX; i++) {
        hits += fault->page->rules[i].armed ? fault->page->rules[i].hits : 0;
    }
    return hits;
}

uint64_t p11_fault_calls(const struct p11_fault *fault, enum p11_function function)
{
    return fault->page->calls[function];
}

uint64_t p11_fault_calls_all(const struct p11_fault *fault)
{
    uint64_t sum = 0;

    for (size_t f = 0; f < P11_COUNT_; f++) {
        sum += fault->page->calls[f];
    }
    return sum;
}

void p11_fault_snapshot(const struct p11_fault *fault, uint64_t ret_calls[P11_COUNT_])
{
    for (size_t f = 0; f < P11_COUNT_; f++) {
        ret_calls[f] = fault->page->calls[f];
    }
}

const char *p11_function_name(enum p11_function function)
{
    return names[function];
}

/* A process id may come again: the latest is meant. */
struct p11_held p11_fault_held(const struct p11_fault *fault, pid_t pid)
{
    struct p11_held held = {-1, -1};

    for (size_t i = 0; i < P11_PROCESSES_MAX; i++) {
        const struct p11_process *process = &fault->page->processes[i];

        if (process->pid == pid) {
            held = (struct p11_held){process->sessions, process->objects};
        }
    }
    REQUIRE(held.sessions >= 0, "process %d has not loaded the shim", (int)pid);
    return held;
}
