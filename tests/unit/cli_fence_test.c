/* `keyward order …` by several cells, of which one refuses. */
#include "cli/cli.h"
#include "common/crypto/keyfile.h"
#include "common/feed/order.h"
#include "common/rpc/messages.h"
#include "keyward/v1/status_service.pb-c.h"
#include "tests/support/must.h"
#include "tests/support/vouched_stores.h"

#include <criterion/redirect.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CELLS     3
#define STEPS_MAX 32
#define PATH_SIZE 64

static const struct kw_id mesh = {{0x3e}};
static const struct kw_id seed = {{0x5e}};
static const struct kw_id life = {{0x1f}};

/* Instead of servers: what each of them is asked and told, in the order in which it comes. */
static struct {
    struct kw_connection *connections[CELLS];
    size_t count;
    char steps[STEPS_MAX + 1];      /* ask, and the first letter of an order … */
    unsigned steps_cell[STEPS_MAX]; /* … and where */
    size_t step_count;
    unsigned refuses;    /* this cell */
    const char *refused; /* these steps */
} cells;

static char dir[] = "/tmp/kw-cli-fence-XXXXXX";
static char key_path[PATH_SIZE];
static char root_path[PATH_SIZE];
static struct kw_bytes voucher; /* of the store at r2/a */
static bool made_up;            /* and one cell shows a store without one */
static char settings_path[CELLS][PATH_SIZE];

struct kw_result __wrap_kw_connection_open(struct kw_connection *connection,
                                           const struct kw_client_options *options,
                                           uint64_t timeout_ms, struct kw_refusal *refusal,
                                           struct kw_error *err);
struct kw_result __wrap_kw_connection_call(struct kw_connection *connection, enum kw_method_id id,
                                           ProtobufCMessage *request, struct kw_arena *arena,
                                           ProtobufCMessage **ret_response, struct kw_error *err);

struct kw_result __wrap_kw_connection_open(struct kw_connection *connection,
                                           const struct kw_client_options *options,
                                           uint64_t timeout_ms, struct kw_refusal *refusal,
                                           struct kw_error *err)
{
    KW_ENSURE(options->target != NULL && cells.count < CELLS, err, INTERNAL, "another cell");
    *connection = (struct kw_connection){.timeout_ms = timeout_ms, .refusal = refusal};
    cells.connections[cells.count++] = connection;
    return KW_OK;
}

static unsigned cell_of(const struct kw_connection *connection)
{
    unsigned cell = 0;

    while (cell < CELLS && cells.connections[cell] != connection) {
        cell++;
    }
    return cell;
}

uint64_t __wrap_kw_clock_wall_ms(void);

/* When its certificate is good. */
uint64_t __wrap_kw_clock_wall_ms(void)
{
    return PKI_NOW_MS;
}

/* One store at r2/a, of which nothing is held. */
static ProtobufCMessage *give_stores(struct kw_arena *arena, bool vouched)
{
    Keyward__V1__ListStoresResponse *known = kw_arena_alloc(arena, sizeof(*known));
    Keyward__V1__Store *there = kw_arena_alloc(arena, sizeof(*there));
    struct kw_id id = voucher_read(voucher).store;
    struct kw_bytes kept;

    keyward__v1__list_stores_response__init(known);
    keyward__v1__store__init(there);
    MUST(kw_arena_copy(arena, kw_id_bytes(&id), &kept, err));
    there->store = kw_field_bytes(kept);
    there->voucher = kw_field_bytes(vouched ? voucher : KW_BYTES_NONE);
    known->n_stores = 1;
    known->stores = kw_arena_alloc(arena, sizeof(Keyward__V1__Store *));
    known->stores[0] = there;
    return &known->base;
}

static ProtobufCMessage *give_done(struct kw_arena *arena)
{
    Keyward__V1__OrderStoresResponse *done = kw_arena_alloc(arena, sizeof(*done));

    keyward__v1__order_stores_response__init(done);
    done->known = 1;
    return &done->base;
}

/* Only stores of the place are asked for. */
static void check_question(const ProtobufCMessage *request)
{
    const Keyward__V1__ListStoresRequest *asked = (const Keyward__V1__ListStoresRequest *)request;

    cr_assert(eq(str, asked->region, "r2"));
    cr_assert(eq(str, asked->cell, "a"));
}

/* What an order says: its first letter. */
static char action_of(const ProtobufCMessage *request)
{
    static const char letters[KW_ORDER_ACTION_END_] = {
        [KW_ORDER_DRAIN] = 'd', [KW_ORDER_FENCE] = 'f', [KW_ORDER_CUT] = 'c'};
    struct kw_order order;

    MUST(kw_order_decode(kw_bytes_field(((const Keyward__V1__OrderStoresRequest *)request)->order),
                         &order, err));
    return letters[order.action];
}

struct kw_result __wrap_kw_connection_call(struct kw_connection *connection, enum kw_method_id id,
                                           ProtobufCMessage *request, struct kw_arena *arena,
                                           ProtobufCMessage **ret_response, struct kw_error *err)
{
    char step = id == KW_METHOD_LIST_STORES ? 'a' : action_of(request);
    unsigned cell = cell_of(connection);

    KW_ENSURE(cells.step_count < STEPS_MAX && cell < CELLS, err, INTERNAL, "another step");
    cells.steps[cells.step_count] = step;
    cells.steps_cell[cells.step_count++] = cell;
    if (cell == cells.refuses && strchr(cells.refused, step) != NULL) {
        *connection->refusal = (struct kw_refusal){
            .exit = KW_EXIT_REFUSED, .reason = KW_E_STATE_CONFLICT, .name = "STATE_CONFLICT"};
        return kw_error_make(err, KW_E_STATE_CONFLICT, "", 0, "no");
    }
    if (step != 'a') {
        *ret_response = give_done(arena);
        return KW_OK;
    }
    check_question(request);
    *ret_response = give_stores(arena, !made_up || cell != 1);
    return KW_OK;
}

/* --- a run of the command --- */

static void write_key(void)
{
    KW_SCOPED(kw_private_key_done) struct kw_private_key key = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf pem = {0};

    MUST(kw_private_key_generate(&key, KW_CURVE_P256, err));
    MUST(kw_private_key_to_pem(&key, &pem, err));
    (void)snprintf(key_path, PATH_SIZE, "%s/key.pem", dir);
    MUST(kw_keyfile_write(AT_FDCWD, key_path, kw_buf_bytes(&pem), KW_KEYFILE_MODE_PRIVATE, err));
}

static void write_root(void)
{
    KW_SCOPED(kw_private_key_done) struct kw_private_key lane_key = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf pem = {0};

    vouched_init();
    vouched_root(&pem);
    (void)snprintf(root_path, PATH_SIZE, "%s/root.pem", dir);
    MUST(kw_keyfile_write(AT_FDCWD, root_path, kw_buf_bytes(&pem), KW_KEYFILE_MODE_PUBLIC, err));
    MUST(kw_private_key_generate(&lane_key, KW_CURVE_P256, err));
    voucher =
        voucher_made(vouched_owner(vouched_ca("r2", KW_SERVICES_CA_NAME), "r2", "a", &lane_key),
                     mesh, seed, life, PKI_NOW_MS);
}

static void setup(void)
{
    REQUIRE(mkdtemp(dir) != NULL, "%s", dir);
    write_key();
    write_root();
    for (size_t i = 0; i < CELLS; i++) {
        char text[4 * PATH_SIZE];

        (void)snprintf(settings_path[i], PATH_SIZE, "%s/%zu.yaml", dir, i);
        (void)snprintf(text, sizeof(text),
                       "target: 127.0.0.1:%zu\nca_file: %s\n"
                       "peer: spiffe://" PKI_DOMAIN "/region/r1/cell/a/svc/gateway\n",
                       i + 1, root_path);
        MUST(kw_keyfile_write(AT_FDCWD, settings_path[i], kw_bytes_str(text),
                              KW_KEYFILE_MODE_PUBLIC, err));
    }
    cells.refuses = CELLS;
    cells.refused = "";
}

static void teardown(void)
{
    for (size_t i = 0; i < CELLS; i++) {
        (void)unlink(settings_path[i]);
    }
    (void)unlink(key_path);
    (void)unlink(root_path);
    (void)rmdir(dir);
}

TestSuite(cli_fence, .init = setup, .fini = teardown, .timeout = 60);

/* `order VERB r2/a`, of three cells. */
static enum kw_exit order(const char *verb)
{
    char words[5][3 * PATH_SIZE] = {"", "r2/a"};
    char *argv[5];

    (void)snprintf(words[0], sizeof(words[0]), "%s", verb);
    (void)snprintf(words[2], sizeof(words[2]), "--officer-key=%s", key_path);
    (void)snprintf(words[3], sizeof(words[3]), "--config=%s", settings_path[0]);
    (void)snprintf(words[4], sizeof(words[4]), "--also=%s,%s", settings_path[1], settings_path[2]);
    for (size_t i = 0; i < 5; i++) {
        argv[i] = words[i];
    }
    cells.count = 0;
    cells.step_count = 0;
    memset(cells.steps, 0, sizeof(cells.steps));
    return kw_cli_run(kw_command_find("order", verb), 5, argv);
}

static void check_steps(const char *steps)
{
    cr_assert(eq(str, cells.steps, (char *)(uintptr_t)steps));
    for (size_t i = 0; i < cells.step_count; i++) {
        cr_assert(eq(uint, cells.steps_cell[i], (unsigned)(i % CELLS)));
    }
}

/* What is honoured is asked when nobody takes more. */
Test(cli_fence, all_have_cut_it_off_before_one_is_asked_how_much_it_holds)
{
    cr_assert(eq(int, order("fence"), KW_EXIT_OK));
    check_steps("aaa"
                "ccc"
                "aaa"
                "fff");
}

Test(cli_fence, whoever_refuses_a_fence_keeps_it_from_no_other)
{
    cells.refused = "f";
    for (cells.refuses = 0; cells.refuses < CELLS; cells.refuses++) {
        cr_assert(eq(int, order("fence"), KW_EXIT_REFUSED));
        check_steps("aaacccaaafff");
    }
}

Test(cli_fence, whoever_takes_no_cut_is_asked_and_fenced_as_all_others_are)
{
    cells.refused = "c";
    for (cells.refuses = 0; cells.refuses < CELLS; cells.refuses++) {
        cr_assert(eq(int, order("fence"), KW_EXIT_OK), "it was told in words");
        check_steps("aaacccaaafff");
    }
}

Test(cli_fence, whoever_refuses_a_drain_keeps_it_from_no_other)
{
    cells.refused = "d";
    for (cells.refuses = 0; cells.refuses < CELLS; cells.refuses++) {
        cr_assert(eq(int, order("drain"), KW_EXIT_REFUSED));
        check_steps("aaaddd");
    }
}

/* Nobody knows then how much is held there. The others need not be asked. */
Test(cli_fence, nothing_is_ordered_while_one_does_not_say_what_it_holds)
{
    cells.refused = "a";
    for (cells.refuses = 0; cells.refuses < CELLS; cells.refuses++) {
        char asked[CELLS + 1] = "aaa";

        asked[cells.refuses + 1] = '\0';
        cr_assert(eq(int, order("fence"), KW_EXIT_REFUSED));
        check_steps(asked);
    }
}

static const char *redirected(void)
{
    static char said[4096];
    size_t len;

    (void)fflush(stderr);
    len = fread(said, 1, sizeof(said) - 1, cr_get_redirected_stderr());
    said[len] = '\0';
    return said;
}

static void check_said(const char *said, const char *words)
{
    cr_assert(strstr(said, words) != NULL, "%s", said);
}

Test(cli_fence, who_does_not_say_it_is_named)
{
    cr_redirect_stderr();
    cells.refused = "a";
    cells.refuses = 1;
    cr_assert(eq(int, order("fence"), KW_EXIT_REFUSED));
    check_said(redirected(), "127.0.0.1:2 does not say");
}

Test(cli_fence, who_shows_a_store_that_does_not_count_is_named)
{
    char text[2 * KW_ID_LEN + 1];
    struct kw_id id = voucher_read(voucher).store;
    const char *said;

    cr_redirect_stderr();
    made_up = true;
    cr_assert(eq(int, order("fence"), KW_EXIT_OK));
    said = redirected();
    kw_hex(kw_id_bytes(&id), text);
    check_said(said, "127.0.0.1:2 shows store ");
    check_said(said, text);
    check_said(said, ", which does not count: it has no voucher");
    cr_assert(strstr(said, "127.0.0.1:1 shows") == NULL, "%s", said);
}

Test(cli_fence, who_is_below_no_root_that_is_trusted_is_not_believed)
{
    KW_SCOPED(kw_buf_done) struct kw_buf pem = {0};

    pki_pem(&voucher_ca()->certificate, &pem);
    MUST(kw_keyfile_write(AT_FDCWD, root_path, kw_buf_bytes(&pem), KW_KEYFILE_MODE_PUBLIC, err));
    cr_assert(eq(int, order("fence"), KW_EXIT_USAGE));
    check_steps("aaaaaa");
}
