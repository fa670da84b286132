/* From store to store: two cells, each with the feeds of a real authz and a real orchestrator store and a real
 * replicator, over mutual TLS. Nobody was introduced to anybody: that is what vouchers are for. */
#include "services/replicator/service.h"
#include "tests/support/feed_service_fixture.h"
#include "tests/support/must.h"

#include <stdio.h>

enum {
    EU,
    US,
    CELLS,
    LONG_LEN = 400 * 1024,
};

#define TEXT 128

struct cell {
    struct kw_replicator_service *service;
    struct kw_replicator_config config;
    char texts[6][TEXT];
    char *list[CELLS];
    int port;
    bool ready;
    bool drained;
    bool stopped;
};

static struct feed_house house;
static struct cell cells[CELLS];
static char mesh_hex[2 * KW_ID_LEN + 1];

static struct house_owner *authz(int cell)
{
    return &house.owners[cell];
}

static struct house_owner *orchestrator(int cell)
{
    return &house.owners[CELLS + cell];
}

static void on_ready(void *context)
{
    ((struct cell *)context)->ready = true;
}

static void on_failed(const struct kw_error *error, void *context)
{
    (void)context;
    cr_fatal("a replicator failed: %s", error->message);
}

static void on_drained(void *context)
{
    ((struct cell *)context)->drained = true;
}

static void on_stopped(void *context)
{
    ((struct cell *)context)->stopped = true;
}

static char *text(struct cell *cell, size_t at, const char *before, int port)
{
    (void)snprintf(cell->texts[at], TEXT, "%s127.0.0.1:%d", before, port);
    return cell->texts[at];
}

static void begin(int at)
{
    static char eu[] = "eu", us[] = "us", name[] = "a", domain[] = "test";
    struct cell *cell = &cells[at];
    const struct kw_replicator_events events = {.ready = on_ready,
                                                .failed = on_failed,
                                                .drained = on_drained,
                                                .stopped = on_stopped,
                                                .context = cell};

    cell->list[EU] = text(cell, 0, "eu/a=", 1); /* it calls */
    cell->list[US] = text(cell, 1, "us/a=", at == US ? 1 : cells[US].port);
    cell->config = (struct kw_replicator_config){
        .region = at == EU ? eu : us,
        .cell = name,
        .trust_domain = domain,
        .mesh = mesh_hex,
        .listen = text(cell, 2, "", cell->port),
        .credentials_dir = authz(at)->replicator,
        .authz = text(cell, 3, "", authz(at)->port),
        .orchestrator = text(cell, 4, "", orchestrator(at)->port),
        .cells = {cell->list, CELLS},
    };
    cell->ready = cell->drained = cell->stopped = false;
    MUST(kw_replicator_service_new(house.hop.loop, &cell->config, &events, &cell->service, err));
    cell->port = kw_replicator_service_port(cell->service);
    HOUSE_EVENTUALLY(&house, cell->ready);
}

static void stop(int at)
{
    struct cell *cell = &cells[at];

    kw_replicator_service_drain(cell->service);
    HOUSE_EVENTUALLY(&house, cell->drained);
    kw_replicator_service_stop(cell->service);
    HOUSE_EVENTUALLY(&house, cell->stopped);
    hop_turn(&house.hop);
    kw_replicator_service_free(cell->service);
    cell->service = NULL;
}

static void setup(void)
{
    house_init(&house, HOUSE_OWNERS_MAX);
    kw_hex(kw_id_bytes(&house.mesh), mesh_hex);
    begin(US);
    begin(EU);
}

static void teardown(void)
{
    for (int at = 0; at < CELLS; at++) {
        if (cells[at].service != NULL) {
            stop(at);
        }
    }
    house_done(&house);
}

TestSuite(replicator_real, .init = setup, .fini = teardown, .timeout = 120);

static void write_note(struct house_owner *owner, const char *name, int number)
{
    char key[32];
    struct kw_record record;

    (void)snprintf(key, sizeof(key), "%s %d", name, number);
    record = note(key);
    note_set(&record, NOTE_TAGS, value_set("x"));
    house_note(owner, &record);
}

static int64_t notes(struct house_owner *owner)
{
    return house_number(owner, "SELECT count(*) FROM notes");
}

static bool holds_all(struct house_owner *owner, struct house_owner *of)
{
    return house_lane(owner, of->lane).point.seq == house_lane(of, of->lane).point.seq;
}

static int64_t acks(struct house_owner *owner)
{
    return house_number(owner, "SELECT count(*) FROM feed_acks");
}

Test(replicator_real, changes_of_each_owner_are_in_its_store_in_the_other_cell)
{
    for (int i = 0; i < 20; i++) {
        write_note(authz(EU), "eu-authz", i);
        write_note(authz(US), "us-authz", i);
        write_note(orchestrator(EU), "eu-orch", i);
    }
    HOUSE_EVENTUALLY(&house, notes(authz(US)) == 40 && notes(authz(EU)) == 40);
    HOUSE_EVENTUALLY(&house, notes(orchestrator(US)) == 20);
    cr_assert_eq(notes(orchestrator(EU)), 20);
    HOUSE_EVENTUALLY(&house, holds_all(authz(US), authz(EU)) && holds_all(authz(EU), authz(US)));
    HOUSE_EVENTUALLY(&house, acks(authz(EU)) > 0 && acks(orchestrator(EU)) > 0);
}

Test(replicator_real, what_is_too_long_for_an_item_arrives_whole)
{
    struct kw_record record = note("long");
    char *content = kw_arena_alloc(values_arena(), LONG_LEN + 1);

    memset(content, 'x', LONG_LEN);
    note_set(&record, NOTE_TEXT, value_lww(1, authz(EU)->feed.options.store, content));
    house_note(authz(EU), &record);
    HOUSE_EVENTUALLY(&house, house_number(authz(US), "SELECT coalesce(max(length(text)), 0) FROM "
                                                     "notes") >= LONG_LEN);
}

Test(replicator_real, what_disables_arrives_and_is_in_force)
{
    struct kw_record record = note("gone 0");

    write_note(authz(EU), "gone", 0);
    HOUSE_EVENTUALLY(&house, notes(authz(US)) == 1);
    note_set(&record, NOTE_REMOVED, value_first(1, authz(US)->feed.options.store, "gone"));
    house_note(authz(US), &record);
    HOUSE_EVENTUALLY(&house,
                     house_number(authz(EU), "SELECT count(*) FROM notes WHERE removed > 0") == 1);
}

Test(replicator_real, a_replicator_that_was_away_misses_nothing)
{
    write_note(authz(EU), "before", 0);
    HOUSE_EVENTUALLY(&house, notes(authz(US)) == 1);
    stop(US);
    for (int i = 0; i < 50; i++) {
        write_note(authz(EU), "meanwhile", i);
        write_note(authz(US), "there", i);
    }
    begin(US);
    HOUSE_EVENTUALLY(&house, notes(authz(US)) == 101 && notes(authz(EU)) == 101);
    stop(EU);
    write_note(authz(US), "again", 0);
    begin(EU);
    HOUSE_EVENTUALLY(&house, notes(authz(EU)) == 102);
}

/* Inward, as those of the layers are. */
Test(replicator_real, a_replicator_has_its_certificate_renewed_by_way_of_an_owner)
{
    struct house_owner *owner = orchestrator(US);
    struct asking asking = {0};

    hop_up(&house.hop);
    house_owner_close_service(owner);
    house_disconnect(owner);
    kw_feed_service_free(owner->ended);
    owner->ended = NULL;
    owner->inner = &house.hop.client;
    MUST(house_owner_serve(owner, err));
    house_connect(owner, owner->replicator);
    HOUSE_EVENTUALLY(&house, kw_hop_client_connected(owner->client));
    house_raw_begin(owner, &asking, KW_METHOD_RENEW_SERVICE, kw_bytes_str("request"));
    HOUSE_EVENTUALLY(&house, house.hop.opened == 1);
    cr_assert_not_null(asking.call, "it waits for the answer");
    kw_hop_cancel(asking.call);
    asking_done(&asking);
}
