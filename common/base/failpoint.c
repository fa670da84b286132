/* Failpoints armed from the environment. What is armed is written once, before threads start. */
#include "common/base/failpoint.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct kw_failpoint_row rows[KW_FP_COUNT_] = {
#define KW_FAILPOINT_ROW(id, name, processes, passed) [KW_FP_##id] = {name, processes, passed},
#include "common/base/failpoint.def"
#undef KW_FAILPOINT_ROW
};

/* Atomic, because a test arms while the store's threads run. */
struct arming {
    atomic_bool aborts;
    atomic_long fire_at; /* the n-th passing; 0: not armed */
    atomic_long passed;
};

static struct arming armings[KW_FP_COUNT_];
static atomic_bool any_armed;

const struct kw_failpoint_row *kw_failpoint_row(enum kw_failpoint point)
{
    assert(point < KW_FP_COUNT_);
    return &rows[point];
}

/* Reads ":n" or nothing; 0 for anything else. */
static long parse_count(const char *text)
{
    char *end = NULL;
    long count;

    if (*text == '\0') {
        return 1;
    }
    if (*text != ':' || strspn(text + 1, "0123456789") == 0) {
        return 0;
    }
    count = strtol(text + 1, &end, 10);
    return *end == '\0' ? count : 0;
}

static struct kw_result find(const char *name, size_t len, enum kw_failpoint *ret_point,
                             struct kw_error *err)
{
    for (int i = 0; i < KW_FP_COUNT_; i++) {
        if (strlen(rows[i].name) == len && strncmp(rows[i].name, name, len) == 0) {
            *ret_point = (enum kw_failpoint)i;
            return KW_OK;
        }
    }
    KW_FAIL(err, CONFIG_INVALID, "there is no failpoint %.*s", (int)len, name);
}

/* "name=abort" or "name=error", each with an optional ":n". */
static struct kw_result arm(const char *text, struct kw_error *err)
{
    size_t name_len = strcspn(text, "=");
    const char *action = text + name_len + 1;
    enum kw_failpoint point;
    bool aborts;
    long fire_at;

    KW_ENSURE(text[name_len] == '=', err, CONFIG_INVALID,
              "failpoint %s: expected name=abort or name=error", text);
    KW_TRY(find(text, name_len, &point, err));
    aborts = strncmp(action, "abort", 5) == 0;
    KW_ENSURE(aborts || strncmp(action, "error", 5) == 0, err, CONFIG_INVALID,
              "failpoint %s: expected abort or error", text);
    fire_at = parse_count(action + 5);
    KW_ENSURE(fire_at > 0, err, CONFIG_INVALID, "failpoint %s: expected :n", text);
    atomic_store(&armings[point].aborts, aborts);
    atomic_store(&armings[point].fire_at, fire_at);
    atomic_store(&any_armed, true);
    return KW_OK;
}

static void disarm_all(void)
{
    atomic_store(&any_armed, false);
    for (int i = 0; i < KW_FP_COUNT_; i++) {
        atomic_store(&armings[i].fire_at, 0);
        atomic_store(&armings[i].passed, 0);
    }
}

struct kw_result kw_failpoint_load(struct kw_error *err)
{
    const char *text = getenv("KEYWARD_FAILPOINTS");
    char copy[1024];
    char *rest = copy;
    char *one;

    disarm_all();
    if (text == NULL || *text == '\0') {
        return KW_OK;
    }
    KW_ENSURE(strlen(text) < sizeof(copy), err, CONFIG_INVALID, "KEYWARD_FAILPOINTS is too long");
    memcpy(copy, text, strlen(text) + 1);
    while ((one = strsep(&rest, ",")) != NULL) {
        KW_TRY(arm(one, err));
    }
    return KW_OK;
}

bool kw_failpoint_hit(enum kw_failpoint point)
{
    struct arming *arming = &armings[point];
    long fire_at;

    if (!atomic_load_explicit(&any_armed, memory_order_relaxed)) {
        return false;
    }
    fire_at = atomic_load(&arming->fire_at);
    if (fire_at == 0 || atomic_fetch_add(&arming->passed, 1) + 1 != fire_at) {
        return false;
    }
    if (atomic_load(&arming->aborts)) {
        (void)fprintf(stderr, "failpoint %s: abort\n", rows[point].name);
        abort();
    }
    (void)fprintf(stderr, "failpoint %s: error\n", rows[point].name); /* a test looks for it */
    return true;
}
