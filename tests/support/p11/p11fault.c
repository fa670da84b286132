/* p11fault.so: a PKCS#11 module that passes every call to a real one, counts it, and spoils those that the test's
 * page says. One table of functions makes everything of it.
 *
 * Makes no system call at a fault but flock, which every worker may make: a hang waits for a lock that the test holds,
 * and a delay watches the clock.
 */
#include "tests/support/p11/page.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <p11-kit/pkcs11.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define HELD_MAX  8192
#define NS_PER_S  1000000000ULL
#define NS_PER_MS 1000000ULL
#define EXPORTED  __attribute__((visibility("default")))

/* What one call of one rule comes to. */
struct hit {
    enum p11_action action;
    CK_RV rv;
    bool hit;
    bool passes; /* the real call is made */
};

/* A session and its slot, or a session object and the session that it goes with. */
struct held {
    CK_ULONG with;
    CK_ULONG handle;
};

static struct p11_page *page;
static int page_fd = -1;
static const CK_FUNCTION_LIST *real;
static struct p11_process *self;
static pthread_mutex_t books = PTHREAD_MUTEX_INITIALIZER;
static struct held sessions[HELD_MAX];
static struct held objects[HELD_MAX];
static size_t session_count;
static size_t object_count;

/* --- what follows a success --- */

static void books_show(void)
{
    self->sessions = (int64_t)session_count;
    self->objects = (int64_t)object_count;
}

/* More than fits is a leak that the test sees anyway. */
static void hold(struct held *list, size_t *count, CK_ULONG with, CK_ULONG handle)
{
    if (*count < HELD_MAX) {
        list[(*count)++] = (struct held){with, handle};
    }
}

static void forget(struct held *list, size_t *count, size_t index)
{
    list[index] = list[--*count];
}

static void opened(CK_SLOT_ID slot, CK_SESSION_HANDLE session)
{
    (void)pthread_mutex_lock(&books);
    hold(sessions, &session_count, slot, session);
    books_show();
    (void)pthread_mutex_unlock(&books);
}

/* A session's end, and that of all objects made in it. */
static void session_forget(size_t index)
{
    CK_SESSION_HANDLE session = sessions[index].handle;

    forget(sessions, &session_count, index);
    for (size_t i = object_count; i > 0; i--) {
        if (objects[i - 1].with == session) {
            forget(objects, &object_count, i - 1);
        }
    }
}

static void closed(CK_SESSION_HANDLE session)
{
    (void)pthread_mutex_lock(&books);
    for (size_t i = session_count; i > 0; i--) {
        if (sessions[i - 1].handle == session) {
            session_forget(i - 1);
        }
    }
    books_show();
    (void)pthread_mutex_unlock(&books);
}

static void slot_closed(CK_SLOT_ID slot)
{
    (void)pthread_mutex_lock(&books);
    for (size_t i = session_count; i > 0; i--) {
        if (sessions[i - 1].with == slot) {
            session_forget(i - 1);
        }
    }
    books_show();
    (void)pthread_mutex_unlock(&books);
}

static void all_closed(void)
{
    (void)pthread_mutex_lock(&books);
    session_count = 0;
    object_count = 0;
    books_show();
    (void)pthread_mutex_unlock(&books);
}

static bool on_token(const CK_ATTRIBUTE *template, CK_ULONG count)
{
    for (CK_ULONG i = 0; i < count; i++) {
        if (template[i].type == CKA_TOKEN) {
            return *(const CK_BBOOL *)template[i].pValue != CK_FALSE;
        }
    }
    return false;
}

static void made(CK_SESSION_HANDLE session, const CK_ATTRIBUTE *template, CK_ULONG count,
                 CK_OBJECT_HANDLE object)
{
    if (on_token(template, count)) {
        page->token_objects++;
        return;
    }
    (void)pthread_mutex_lock(&books);
    hold(objects, &object_count, session, object);
    books_show();
    (void)pthread_mutex_unlock(&books);
}

static void destroyed(CK_OBJECT_HANDLE object)
{
    (void)pthread_mutex_lock(&books);
    for (size_t i = 0; i < object_count; i++) {
        if (objects[i].handle == object) {
            forget(objects, &object_count, i);
            break;
        }
    }
    books_show();
    (void)pthread_mutex_unlock(&books);
}

static void found(const struct hit *hit, CK_ULONG *count)
{
    if (hit->hit && hit->action == P11_VANISH) {
        *count = 0;
    }
}

static void spoil(const struct hit *hit, void *bytes, CK_ULONG *len)
{
    if (!hit->hit || bytes == NULL || len == NULL || *len == 0) {
        return;
    }
    if (hit->action == P11_FLIP) {
        for (CK_ULONG i = 0; i < *len; i++) {
            ((CK_BYTE *)bytes)[i] ^= 1;
        }
    } else if (hit->action == P11_ZERO) {
        memset(bytes, 0, *len);
    } else if (hit->action == P11_SHORT) {
        (*len)--;
    }
}

static void attributes_spoil(const struct hit *hit, CK_ATTRIBUTE *template, CK_ULONG count)
{
    for (CK_ULONG i = 0; i < count; i++) {
        spoil(hit, template[i].pValue, &template[i].ulValueLen);
    }
}

/* --- the rules --- */

static uint64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static void delay(unsigned ms)
{
    uint64_t end_ns = now_ns() + ms * NS_PER_MS;

    while (now_ns() < end_ns) {
    }
}

static void hang(void)
{
    while (flock(page_fd, LOCK_EX) != 0) {
    }
    (void)flock(page_fd, LOCK_UN);
}

static bool applies(const struct p11_rule *rule, enum p11_function function, bool talks)
{
    return rule->armed &&
           (rule->plan.function == function || (rule->plan.function == P11_ANY && talks));
}

/* Counts the call, and says whether it is one of the rule's. */
static bool is_hit(struct p11_rule *rule)
{
    const struct p11_plan *plan = &rule->plan;
    uint64_t number = ++rule->seen;
    uint64_t first = plan->first > 0 ? plan->first : 1;
    bool due =
        plan->every > 0 ? number >= first && (number - first) % plan->every == 0 : number == first;

    if (!due || (plan->count > 0 && rule->hits >= plan->count)) {
        return false;
    }
    rule->hits++;
    return true;
}

static void session_lose(CK_SESSION_HANDLE session)
{
    if (session != CK_INVALID_HANDLE && real->C_CloseSession(session) == CKR_OK) {
        closed(session);
    }
}

/* What is done before the real call. */
static struct hit strike(const struct p11_plan *plan, CK_SESSION_HANDLE session)
{
    struct hit hit = {.action = plan->action, .rv = plan->rv, .hit = true, .passes = true};

    switch (plan->action) {
    case P11_RETURN:
        hit.passes = plan->after;
        break;
    case P11_LOSE:
        session_lose(session);
        hit.passes = false;
        break;
    case P11_DELAY:
        delay(plan->ms);
        break;
    case P11_HANG:
        hang();
        break;
    case P11_CRASH:
        __builtin_trap();
    case P11_FLIP:
    case P11_ZERO:
    case P11_SHORT:
    case P11_VANISH:
        break;
    }
    return hit;
}

static struct hit begin(enum p11_function function, bool talks, CK_SESSION_HANDLE session)
{
    page->calls[function]++;
    for (size_t i = 0; i < P11_RULES_MAX; i++) {
        if (applies(&page->rules[i], function, talks) && is_hit(&page->rules[i])) {
            return strike(&page->rules[i].plan, session);
        }
    }
    return (struct hit){.passes = true};
}

static CK_RV end(const struct hit *hit, CK_RV rv)
{
    return hit->hit && (hit->action == P11_RETURN || hit->action == P11_LOSE) ? hit->rv : rv;
}

/* --- the functions --- */

#define P11(name, talks, parameters, arguments, about, effect)                                     \
    static CK_RV fault_##name parameters                                                           \
    {                                                                                              \
        struct hit hit = begin(P11_##name, talks, about);                                          \
        CK_RV rv = hit.passes ? real->C_##name arguments : hit.rv;                                 \
                                                                                                   \
        if (rv == CKR_OK && hit.passes) {                                                          \
            effect;                                                                                \
        }                                                                                          \
        return end(&hit, rv);                                                                      \
    }
#include "tests/support/p11/functions.def"
#undef P11

EXPORTED CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list);

static CK_FUNCTION_LIST functions = {
    .version = {2, 40},
    .C_GetFunctionList = C_GetFunctionList,
#define P11(name, ...) .C_##name = fault_##name,
#include "tests/support/p11/functions.def"
#undef P11
};

/* --- loading --- */

static bool page_map(void)
{
    const char *path = getenv(P11_PAGE_ENV);
    void *map;

    page_fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (page_fd < 0) {
        return false;
    }
    map = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED, page_fd, 0);
    page = map != MAP_FAILED ? map : NULL;
    return page != NULL;
}

static bool module_load(void)
{
    void *library = dlopen(page->module, RTLD_NOW | RTLD_LOCAL);
    void *symbol = library != NULL ? dlsym(library, "C_GetFunctionList") : NULL;
    CK_RV (*get)(CK_FUNCTION_LIST **) = NULL;
    CK_FUNCTION_LIST *list = NULL;

    if (symbol == NULL) {
        return false;
    }
    memcpy(&get, &symbol, sizeof(get)); /* ISO C has no cast from object to function pointer */
    if (get(&list) != CKR_OK) {
        return false;
    }
    real = list;
    return true;
}

EXPORTED CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list)
{
    if (real == NULL) {
        if (!page_map() || !module_load()) {
            return CKR_GENERAL_ERROR;
        }
        self = &page->processes[page->process_count++ % P11_PROCESSES_MAX];
        self->pid = getpid();
    }
    *list = &functions;
    return CKR_OK;
}
