/* A real core whose HSM fails as it is told: what callers get, what the probes and metrics say, and that nothing of a
 * key has changed when the HSM is back. The station, the partner and the device are those of the drills. */
#include "common/base/file.h"
#include "common/rpc/arena_proto.h"
#include "keyward/v1/status_service.pb-c.h"
#include "services/cryptocore/confinement.h"
#include "services/cryptocore/hsm/pkcs11.h"
#include "tests/component/core_drill.h"
#include "tests/support/p11/fault.h"
#include "tests/support/plain_http.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define SOFTHSM "/usr/lib/softhsm/libsofthsm2.so"

static char dir[] = "/tmp/keyward-p11fault-XXXXXX";
static struct p11_fault p11;

static void up(void)
{
    REQUIRE(mkdtemp(dir) != NULL, "no directory");
    p11_fault_init(&p11, dir, SOFTHSM);
    REQUIRE(setenv("KEYWARD_HSM_MODULE", P11_FAULT_MODULE, 1) == 0, "environment");
    drill_up();
}

static void down(void)
{
    p11_fault_clear(&p11);
    drill_down();
    p11_fault_done(&p11);
    (void)rmdir(dir);
}

TestSuite(core_fault, .init = up, .fini = down, .timeout = 300);

#define FAULT(...) p11_fault_set(&p11, &(struct p11_plan){__VA_ARGS__})

/* --- what the core says --- */

static bool ready(void)
{
    return plain_ready(drill.fx.core.metrics_port);
}

static double metric(const char *name)
{
    return plain_metric(drill.fx.core.metrics_port, name);
}

static enum kw_reason access_now(void)
{
    struct core_ask ask = drill_access_ask();
    struct core_answer answer = core_ask(&drill.fx, &ask);

    if (answer.reason != KW_E_NONE && answer.reply != NULL) {
        cr_assert(eq(sz, answer.reply->items[0]->delivery.len, 0), "a failure delivers nothing");
        cr_assert(eq(sz, answer.reply->items[0]->n_facts, 0), "a failure makes no fact");
    }
    return answer.reason;
}

/* GetStatus: what the layer says is wrong; NONE while it serves. */
struct status {
    enum kw_reason trouble;
    char locked_memory[KW_CONFINEMENT_TEXT_SIZE];
    bool over;
};

static void on_status_data(struct kw_hop_call *call, struct kw_hop_item item, void *user)
{
    struct status *status = user;
    const Keyward__V1__LayerStatus *layer;
    ProtobufCMessage *message;

    (void)call;
    MUST(kw_arena_unpack(drill.fx.arena, &keyward__v1__get_status_response__descriptor, item.data,
                         &message, err));
    layer = ((const Keyward__V1__GetStatusResponse *)message)->layers[0];
    if (layer->n_degradations > 0) {
        const char *name = layer->degradations[0]->reason;

        status->trouble = kw_reason_by_name(name, strlen(name));
    }
    for (size_t i = 0; i < layer->n_confinement; i++) {
        if (strcmp(layer->confinement[i]->key, "locked_memory") == 0) {
            (void)snprintf(status->locked_memory, sizeof(status->locked_memory), "%s",
                           layer->confinement[i]->value);
        }
    }
}

static void on_status_end(struct kw_hop_call *call, const struct kw_hop_status *end,
                          struct kw_bytes context, void *user)
{
    (void)call;
    (void)context;
    cr_assert(eq(int, end->reason, KW_E_NONE));
    ((struct status *)user)->over = true;
}

static struct status status_whole(void)
{
    static const struct kw_hop_events events = {.data = on_status_data, .status = on_status_end};
    struct status status = {.trouble = KW_E_NONE};
    struct kw_hop_open open = {.method = KW_METHOD_GET_STATUS,
                               .deadline_ns = kw_clock_mono_ns() + PATIENCE_NS,
                               .has_item = true,
                               .end = true};
    struct kw_hop_call *call;

    MUST(kw_hop_open(drill.fx.client, &open, &events, &status, &call, err));
    EVENTUALLY(&drill.fx, status.over);
    return status;
}

static enum kw_reason status_now(void)
{
    return status_whole().trouble;
}

static void say(const char *what, uint64_t since_ns)
{
    cr_log_info("%s after %.2f s\n", what, (double)(kw_clock_mono_ns() - since_ns) / 1e9);
}

/* --- tests --- */

/* One code of each class, in C_WrapKey of one release. */
Test(core_fault, each_class_of_code_is_the_caller_s_reason)
{
    static const struct {
        CK_RV rv;
        uint64_t every;
        enum kw_reason reason;
    } rows[] = {
        {CKR_SESSION_HANDLE_INVALID, 0, KW_E_NONE},
        {CKR_OBJECT_HANDLE_INVALID, 0, KW_E_NONE},
        {CKR_OBJECT_HANDLE_INVALID, 1, KW_E_HSM_KEY_MISSING},
        {CKR_HOST_MEMORY, 0, KW_E_HSM_BUSY},
        {CKR_MECHANISM_INVALID, 0, KW_E_HSM},
        {CKR_DEVICE_ERROR, 0, KW_E_HSM_UNAVAILABLE},
    };

    for (size_t i = 0; i < KW_CK_COUNT(rows); i++) {
        FAULT(.function = P11_WrapKey, .rv = rows[i].rv, .every = rows[i].every);
        cr_assert(eq(int, access_now(), rows[i].reason), "0x%lx", rows[i].rv);
        cr_assert(ge(u64, p11_fault_hits(&p11), 1));
        p11_fault_clear(&p11);
    }
    EVENTUALLY(&drill.fx, metric("keyward_hsm_worker_restarts_total") >= 1 && ready());
    cr_assert(eq(int, access_now(), KW_E_NONE));
}

Test(core_fault, a_token_that_goes_takes_readiness_along_and_brings_it_back)
{
    uint64_t start_ns = kw_clock_mono_ns();

    cr_assert(ready());
    FAULT(.function = P11_ANY, .rv = CKR_TOKEN_NOT_PRESENT, .every = 1);
    EVENTUALLY(&drill.fx, !ready());
    say("not serving", start_ns);
    cr_assert(eq(int, status_now(), KW_E_HSM_UNAVAILABLE));
    cr_assert(eq(int, access_now(), KW_E_HSM_UNAVAILABLE));
    cr_assert(eq(int, access_now(), KW_E_HSM_UNAVAILABLE));
    p11_fault_clear(&p11);
    start_ns = kw_clock_mono_ns();
    EVENTUALLY(&drill.fx, ready());
    say("serving again", start_ns);
    cr_assert(eq(int, status_now(), KW_E_NONE));
    cr_assert(eq(int, access_now(), KW_E_NONE));
}

Test(core_fault, a_wiped_token_is_an_incident_and_all_keys_are_there_afterwards)
{
    uint64_t made = p11.page->token_objects;

    FAULT(.function = P11_FindObjects, .action = P11_VANISH, .every = 1);
    FAULT(.function = P11_SignInit, .rv = CKR_KEY_HANDLE_INVALID, .every = 1);
    EVENTUALLY(&drill.fx, metric("keyward_hsm_incidents_total{reason=\"hsm_key\"}") >= 1);
    EVENTUALLY(&drill.fx, !ready());
    cr_assert(eq(int, access_now(), KW_E_HSM_KEY_MISSING));
    cr_assert(eq(int, status_now(), KW_E_HSM_KEY_MISSING));
    p11_fault_clear(&p11);
    EVENTUALLY(&drill.fx, ready());
    cr_assert(eq(int, access_now(), KW_E_NONE));
    cr_assert(eq(u64, p11.page->token_objects, made), "something was made anew");
}

Test(core_fault, an_hsm_that_answers_wrongly_delivers_nothing)
{
    FAULT(.function = P11_Sign, .action = P11_FLIP, .every = 1);
    cr_assert(eq(int, access_now(), KW_E_HSM_SELF_TEST));
    EVENTUALLY(&drill.fx, !ready());
    cr_assert(metric("keyward_hsm_incidents_total{reason=\"hsm_self_test\"}") >= 1);
    p11_fault_clear(&p11);
    EVENTUALLY(&drill.fx, ready());
    cr_assert(eq(int, access_now(), KW_E_NONE));
}

static pid_t last_worker(void)
{
    return p11.page->processes[p11.page->process_count - 1].pid;
}

static void pin_file(struct kw_buf *pin, char path[PATH_MAX])
{
    MUST(kw_file_read(kw_mesh_path(&drill.fx.dir, "region/secret/pin", path), 256, pin, err));
}

static void pin_write(const char *path, const void *pin, size_t len)
{
    int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

    REQUIRE(fd >= 0 && write(fd, pin, len) == (ssize_t)len && close(fd) == 0, "PIN file");
}

Test(core_fault, a_wrong_pin_is_tried_once_and_a_right_one_needs_no_restart)
{
    static struct kw_buf pin; /* a failed assertion leaves by a jump */
    uint64_t logins = p11_fault_calls(&p11, P11_Login);
    char path[PATH_MAX];

    pin_file(&pin, path);
    pin_write(path, "not the PIN\n", 12);
    cr_assert(eq(int, kill(last_worker(), SIGKILL), 0));
    EVENTUALLY(&drill.fx, metric("keyward_hsm_incidents_total{reason=\"hsm_login\"}") >= 1);
    EVENTUALLY(&drill.fx, !ready());
    cr_assert(eq(int, access_now(), KW_E_HSM_LOGIN_REFUSED));
    cr_assert(eq(dbl, metric("keyward_hsm_incidents_total{reason=\"hsm_login\"}"), 1));
    cr_assert(eq(u64, p11_fault_calls(&p11, P11_Login), logins + 1));
    pin_write(path, pin.data, pin.len);
    kw_buf_done(&pin);
    EVENTUALLY(&drill.fx, ready());
    cr_assert(eq(int, access_now(), KW_E_NONE));
    cr_assert(eq(u64, p11_fault_calls(&p11, P11_Login), logins + 2));
}

/* The core is a child of this process, and has its limits. */
Test(core_fault, the_status_says_how_much_memory_may_be_locked)
{
    struct rlimit limit;
    char expected[KW_CONFINEMENT_TEXT_SIZE] = "unlimited";

    REQUIRE(getrlimit(RLIMIT_MEMLOCK, &limit) == 0, "limit");
    if (limit.rlim_cur != RLIM_INFINITY) {
        (void)snprintf(expected, sizeof(expected), "%lu", (unsigned long)limit.rlim_cur);
    }
    cr_assert_str_eq(status_whole().locked_memory, expected);
}
