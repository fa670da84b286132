/* Which call is hit, what may come of it, and what must be as before. */
#include "tests/component/hsm_fault_nth.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

/* A code of each class, and what may come of it. */
static const struct {
    CK_RV rv;
    bool after;
    enum kw_reason reasons[2]; /* beside a success */
} codes[] = {
    [FAULT_SESSION] = {CKR_SESSION_HANDLE_INVALID, false, {KW_E_NONE}},
    [FAULT_HANDLE] = {CKR_KEY_HANDLE_INVALID, false, {KW_E_NONE}},
    [FAULT_DEVICE] = {CKR_DEVICE_ERROR, false, {KW_E_HSM_UNAVAILABLE}},
    [FAULT_LOAD] = {CKR_DEVICE_MEMORY, true, {KW_E_HSM_BUSY, KW_E_HSM_UNAVAILABLE}},
    [FAULT_UNKNOWN] = {CKR_FUNCTION_REJECTED, false, {KW_E_HSM, KW_E_HSM_UNAVAILABLE}},
};

static struct p11_held held(void)
{
    return p11_fault_held(&fault.p11, getpid());
}

/* How many calls the operation makes, and what is open between operations. */
static uint64_t calls_of(const struct kw_hsm_request *request)
{
    uint64_t before;

    cr_assert(eq(int, fault_run(request), KW_E_NONE));
    before = p11_fault_calls_all(&fault.p11);
    cr_assert(eq(int, fault_run(request), KW_E_NONE));
    return p11_fault_calls_all(&fault.p11) - before;
}

static bool clear(enum kw_reason reason, enum fault_code code)
{
    bool found = reason == KW_E_NONE;

    for (size_t i = 0; i < 2; i++) {
        found = found || reason == codes[code].reasons[i];
    }
    return found;
}

/* A worker that is unwell would be another one now. */
static void worker_renew(void)
{
    if (fault.session.fault == KW_HSM_CLASS_DEVICE) {
        kw_hsm_session_close(&fault.session);
        kw_hsm_module_close(&fault.module);
        fault_open();
    }
}

static void fail_nth(const struct kw_hsm_request *request, enum fault_code code, uint64_t n)
{
    const char *op = kw_hsm_op_name(request->op);
    enum kw_reason reason;

    FAULT(.function = P11_ANY, .rv = codes[code].rv, .after = codes[code].after, .first = n);
    reason = fault_run(request);
    cr_assert(eq(u64, p11_fault_hits(&fault.p11), 1), "%s has no call %lu", op, n);
    p11_fault_clear(&fault.p11);
    cr_assert(clear(reason, code), "%s, call %lu is 0x%lx: %s", op, n, codes[code].rv,
              kw_reason_row(reason)->name);
    worker_renew();
    reason = fault_run(request);
    cr_assert(eq(int, reason, KW_E_NONE), "%s after call %lu was 0x%lx", op, n, codes[code].rv);
}

/* Objects are those there were before; of sessions libp11 keeps one. */
static void fail_every(const struct kw_hsm_request *request, enum fault_code code)
{
    uint64_t calls = calls_of(request);
    struct p11_held before = held();

    for (uint64_t n = 1; n <= calls; n++) {
        fail_nth(request, code, n);
        cr_assert(eq(i64, held().objects, before.objects), "%s leaves an object: call %lu is 0x%lx",
                  kw_hsm_op_name(request->op), n, codes[code].rv);
        cr_assert(le(i64, held().sessions, 2), "%s leaves a session: call %lu is 0x%lx",
                  kw_hsm_op_name(request->op), n, codes[code].rv);
    }
}

void fault_every_call(enum fault_code code)
{
    fault_open();
    for (size_t op = 0; op < FAULT_OPS; op++) {
        fail_every(&fault.ops[op], code);
    }
}
