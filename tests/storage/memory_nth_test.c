/* Each allocation that our own code makes fails once: settings, messages, records, credentials, the
 * store. What runs out of memory says so, holds on to nothing, and works the next time. */
#include "common/audit/capsule.h"
#include "common/audit/chain.h"
#include "common/lifecycle/fact.h"
#include "common/pki/credentials.h"
#include "common/rpc/arena_proto.h"
#include "common/rpc/messages.h"
#include "services/orchestrator/config.h"
#include "tests/support/nth.h"
#include "tests/support/pki_fixture.h"
#include "tests/support/store_fixture.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <fcntl.h>
#include <keyward/v1/grant_service.pb-c.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

TestSuite(memory_nth, .timeout = 120);

/* What an attempt is here: it ends well or says that there is no memory. */
struct task {
    const char *name;
    struct kw_result (*run)(struct kw_error *err);
    enum kw_reason also; /* what it may say instead */
};

static void attempt(struct nth *nth)
{
    const struct task *task = nth->context;
    struct kw_error error = {0};
    struct kw_result result;
    bool fired;

    nth_arm(nth);
    result = task->run(&error);
    fired = nth_disarm(nth);
    cr_assert(fired || kw_ok(result), "%s: %s", task->name, error.message);
    cr_assert(kw_ok(result) || result.reason == KW_E_MEMORY || result.reason == task->also,
              "%s, call %llu (%s): %s %s", task->name, (unsigned long long)nth->n, nth_failed(),
              kw_reason_row(result.reason)->name, error.message);
    result = task->run(&error);
    cr_assert(kw_ok(result), "%s, again: %s", task->name, error.message);
}

static void run(const struct task *task)
{
    struct nth nth = {.what = task->name,
                      .kind = &nth_calls,
                      .attempt = attempt,
                      .context = (void *)(uintptr_t)task};

    cr_assert(lt(u64, 1, nth_run(&nth)), "%s allocates nothing", task->name);
}

/* --- records --- */

static struct kw_result make_receipts(struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf records = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf items = {0};
    struct kw_chain chain = {.core = {{1}}, .stream = {{2}}};
    struct kw_receipt receipt = {.id = {{3}},
                                 .time_ms = 4,
                                 .region = kw_bytes_str("r"),
                                 .cell = kw_bytes_str("c"),
                                 .capsule = kw_bytes_str("capsule"),
                                 .signer = kw_bytes_str("signer")};
    const struct kw_receipt_item item = {.key = {{5}}, .device = {{6}}};
    struct kw_receipt decoded;

    for (int i = 0; i < 20; i++) {
        KW_TRY(kw_receipt_item_add(&receipt, &items, &item, err));
    }
    KW_TRY(kw_chain_issue(&chain, &receipt, &records, err));
    return kw_receipt_decode(kw_buf_bytes(&records), &decoded, err);
}

static struct kw_result make_fact(struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    const struct kw_fact fact = {.key = {{1}},
                                 .kind = KW_FACT_SUSPENDED,
                                 .ref = {{2}},
                                 .time_ms = 1,
                                 .capsule = {{3}},
                                 .actor = kw_bytes_str("spiffe://test/operator/opr_a")};
    struct kw_fact decoded;

    KW_TRY(kw_fact_encode(&fact, &record, err));
    return kw_fact_decode(kw_buf_bytes(&record), &decoded, err);
}

static struct kw_result make_capsule(struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    const struct kw_capsule capsule = {.id = {{1}},
                                       .region = kw_bytes_str("r1"),
                                       .cell = kw_bytes_str("c1"),
                                       .caller = kw_bytes_str("spiffe://test/partner/prt_a"),
                                       .method = KW_METHOD_LIST_KEYS,
                                       .scope = KW_SCOPE_NONE,
                                       .issued_ms = 1000,
                                       .not_after_ms = 2000};
    struct kw_capsule decoded;

    KW_TRY(kw_capsule_encode(&capsule, &record, err));
    return kw_capsule_decode(kw_buf_bytes(&record), &decoded, err);
}

Test(memory_nth, records)
{
    run(&(const struct task){"receipts", make_receipts, KW_E_CRYPTO});
    run(&(const struct task){"a fact", make_fact, KW_E_NONE});
    run(&(const struct task){"a capsule", make_capsule, KW_E_NONE});
}

/* --- messages --- */

static struct kw_result pack_and_unpack(struct kw_error *err)
{
    static char *names[] = {(char *)(uintptr_t) "devices/a", (char *)(uintptr_t) "devices/b"};
    Keyward__V1__CreateGrantRequest request = KEYWARD__V1__CREATE_GRANT_REQUEST__INIT;
    Keyward__V1__Grant grant = KEYWARD__V1__GRANT__INIT;
    Keyward__V1__DeviceList devices = KEYWARD__V1__DEVICE_LIST__INIT;
    struct kw_arena *arena = kw_arena_new(1U << 18);
    ProtobufCMessage *message;
    struct kw_bytes packed;
    struct kw_result result;

    KW_ENSURE(arena != NULL, err, MEMORY, "arena");
    devices.n_devices = 2;
    devices.devices = names;
    grant.scope_case = KEYWARD__V1__GRANT__SCOPE_DEVICES;
    grant.devices = &devices;
    request.grant = &grant;
    result = kw_arena_pack(arena, &request.base, &packed, err);
    if (kw_ok(result)) {
        result = kw_message_unpack(&keyward__v1__create_grant_request__descriptor, packed, arena,
                                   &message, err);
    }
    kw_arena_free(arena);
    return result;
}

Test(memory_nth, messages)
{
    run(&(const struct task){"a request", pack_and_unpack, KW_E_NONE});
}

/* --- settings --- */

static char settings_path[64];

static void settings_file(void)
{
    static const char text[] =
        "region: eu-1\ncell: a\ntrust_domain: test\ncredentials_dir: /c\n"
        "mesh: 0123456789abcdef0123456789abcdef\n"
        "database: /d\npage_key_file: /p\npki_dir: /k\ntargets: [\"127.0.0.1:1\"]\n";
    int fd;

    (void)snprintf(settings_path, sizeof(settings_path), "/tmp/kw-settings-XXXXXX");
    fd = mkstemp(settings_path);
    cr_assert(eq(sz, (size_t)write(fd, text, sizeof(text) - 1), sizeof(text) - 1));
    (void)close(fd);
}

static struct kw_result load_settings(struct kw_error *err)
{
    char option[80];
    char *argv[] = {(char *)(uintptr_t) "keyward-orchestrator", option, NULL};
    enum kw_settings_outcome outcome;
    struct kw_orch_config config = {0};
    struct kw_result result;

    (void)snprintf(option, sizeof(option), "--config=%s", settings_path);
    result = kw_settings_load(&kw_orch_settings, 2, argv, &config, &outcome, err);
    kw_settings_done(&kw_orch_settings, &config);
    return result;
}

Test(memory_nth, settings)
{
    settings_file();
    run(&(const struct task){"settings", load_settings, KW_E_CONFIG_INVALID});
    (void)unlink(settings_path);
}

/* --- credentials --- */

static struct kw_buf key_pem;
static struct kw_buf cert_pem;
static struct kw_buf ca_pem;

static struct kw_result load_credentials(struct kw_error *err)
{
    KW_SCOPED(kw_credentials_done) struct kw_credentials credentials = {0};
    const struct kw_credentials_pem pem = {kw_buf_bytes(&key_pem), kw_buf_bytes(&cert_pem),
                                           kw_buf_bytes(&ca_pem)};

    return kw_credentials_from_pem(&credentials, &pem, err);
}

Test(memory_nth, credentials)
{
    const struct kw_spiffe partner = pki_caller(KW_ROLE_PARTNER, 7);
    struct pki_fixture pki;
    struct pki_pair pair;

    pki_fixture_init(&pki);
    pair = pki_leaf(&pki.issuing, &partner, KW_USAGE_CLIENT);
    pki_pem(&pki.issuing.certificate, &ca_pem);
    pki_pem(&pair.certificate, &cert_pem);
    cr_assert(kw_ok(kw_private_key_to_pem(&pair.key, &key_pem, NULL)));
    run(&(const struct task){"credentials", load_credentials, KW_E_NONE});
    kw_buf_done(&key_pem);
    kw_buf_done(&cert_pem);
    kw_buf_done(&ca_pem);
    pki_pair_done(&pair);
    pki_fixture_done(&pki);
}

/* --- the store --- */

static struct store_fixture f;

static struct kw_result open_store(struct kw_error *err)
{
    struct kw_result result = store_fixture_open(&f, store_test_schema, 1, err);

    store_fixture_close(&f);
    return result;
}

Test(memory_nth, store)
{
    store_fixture_init(&f);
    run(&(const struct task){"the store", open_store, KW_E_STORE_UNAVAILABLE});
    store_fixture_done(&f);
}
