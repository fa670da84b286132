/* Which place fails, and that none fails twice. */
#include "common/base/fault.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FNV_START UINT64_C(14695981039346656037)
#define FNV_PRIME UINT64_C(1099511628211)

static struct kw_fault_plan own;
static struct kw_fault_plan *plan = &own;

/* Before main: services have no call for it, and a build without faults nobody who passes. */
__attribute__((constructor)) static void share(void)
{
    const char *path = getenv("KEYWARD_FAULTS");
    int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *shared;

    if (fd < 0) {
        return;
    }
    shared = mmap(NULL, sizeof(*plan), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (shared != MAP_FAILED) {
        plan = shared;
    }
    (void)close(fd);
}

struct kw_fault_plan *kw_fault_plan(void)
{
    return plan;
}

static uint64_t hash_of(const char *file, int line)
{
    uint64_t hash = FNV_START ^ (uint64_t)line;

    for (; *file != '\0'; file++) {
        hash = (hash ^ (uint8_t)*file) * FNV_PRIME;
    }
    return hash != 0 ? hash : 1;
}

/* The slot of this place, or the empty one where it belongs; NULL when there is no room. */
static _Atomic uint64_t *slot_of(uint64_t hash)
{
    for (uint64_t i = 0; i < KW_FAULT_PLACES_MAX; i++) {
        _Atomic uint64_t *slot = &plan->places[(hash + i) % KW_FAULT_PLACES_MAX];

        if (*slot == 0 || *slot == hash) {
            return slot;
        }
    }
    return NULL;
}

/* The compiler's cache gives some builds paths from the build's folder. */
static const char *in_tree(const char *file)
{
    while (strncmp(file, "../", 3) == 0) {
        file += 3;
    }
    return file;
}

static bool is_excepted(const char *file)
{
    for (const char *path = plan->except; *path != '\0'; path += strspn(path, " ")) {
        size_t len = strcspn(path, " ");

        if (strncmp(in_tree(file), path, len) == 0) {
            return true;
        }
        path += len;
    }
    return false;
}

bool kw_fault_fires(const char *file, int line)
{
    bool armed = true;
    uint64_t hash;
    _Atomic uint64_t *slot;

    if (!atomic_load_explicit(&plan->armed, memory_order_relaxed) ||
        strncmp(in_tree(file), plan->scope, strlen(plan->scope)) != 0 || is_excepted(file)) {
        return false;
    }
    hash = hash_of(file, line);
    slot = slot_of(hash);
    if (slot == NULL || *slot == hash ||
        !atomic_compare_exchange_strong(&plan->armed, &armed, false)) {
        return false;
    }
    *slot = hash;
    (void)snprintf(plan->last, sizeof(plan->last), "%s:%d", file, line);
    atomic_fetch_add(&plan->fired, 1);
    return true;
}
