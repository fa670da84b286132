/* From store to store: two cells, each with the feeds of a real authz and a real orchestrator store and a real
 * replicator, over mutual TLS. Nobody was introduced to anybody: that is what vouchers are for. */
#include "tests/support/must.h"
#include "tests/support/real_cells.h"

enum {
    LONG_LEN = 400 * 1024,
};

TestSuite(replicator_real, .init = real_cells_init, .fini = real_cells_done, .timeout = 120);

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
        real_note(real_authz(EU), "eu-authz", i);
        real_note(real_authz(US), "us-authz", i);
        real_note(real_orchestrator(EU), "eu-orch", i);
    }
    HOUSE_EVENTUALLY(&real_house,
                     real_notes(real_authz(US)) == 40 && real_notes(real_authz(EU)) == 40);
    HOUSE_EVENTUALLY(&real_house, real_notes(real_orchestrator(US)) == 20);
    cr_assert_eq(real_notes(real_orchestrator(EU)), 20);
    HOUSE_EVENTUALLY(&real_house, holds_all(real_authz(US), real_authz(EU)) &&
                                      holds_all(real_authz(EU), real_authz(US)));
    HOUSE_EVENTUALLY(&real_house, acks(real_authz(EU)) > 0 && acks(real_orchestrator(EU)) > 0);
}

Test(replicator_real, what_is_too_long_for_an_item_arrives_whole)
{
    struct kw_record record = note("long");
    char *content = kw_arena_alloc(values_arena(), LONG_LEN + 1);

    memset(content, 'x', LONG_LEN);
    note_set(&record, NOTE_TEXT, value_lww(1, real_authz(EU)->feed.options.store, content));
    house_note(real_authz(EU), &record);
    HOUSE_EVENTUALLY(&real_house,
                     house_number(real_authz(US), "SELECT coalesce(max(length(text)), 0) FROM "
                                                  "notes") >= LONG_LEN);
}

Test(replicator_real, what_disables_arrives_and_is_in_force)
{
    struct kw_record record = note("gone 0");

    real_note(real_authz(EU), "gone", 0);
    HOUSE_EVENTUALLY(&real_house, real_notes(real_authz(US)) == 1);
    note_set(&record, NOTE_REMOVED, value_first(1, real_authz(US)->feed.options.store, "gone"));
    house_note(real_authz(US), &record);
    HOUSE_EVENTUALLY(&real_house,
                     house_number(real_authz(EU), "SELECT count(*) FROM notes WHERE removed > 0") ==
                         1);
}

Test(replicator_real, a_replicator_that_was_away_misses_nothing)
{
    real_note(real_authz(EU), "before", 0);
    HOUSE_EVENTUALLY(&real_house, real_notes(real_authz(US)) == 1);
    real_cell_stop(US);
    for (int i = 0; i < 50; i++) {
        real_note(real_authz(EU), "meanwhile", i);
        real_note(real_authz(US), "there", i);
    }
    real_cell_begin(US);
    HOUSE_EVENTUALLY(&real_house,
                     real_notes(real_authz(US)) == 101 && real_notes(real_authz(EU)) == 101);
    real_cell_stop(EU);
    real_note(real_authz(US), "again", 0);
    real_cell_begin(EU);
    HOUSE_EVENTUALLY(&real_house, real_notes(real_authz(EU)) == 102);
}

/* Inward, as those of the layers are. */
Test(replicator_real, a_replicator_has_its_certificate_renewed_by_way_of_an_owner)
{
    struct house_owner *owner = real_orchestrator(US);
    struct asking asking = {0};

    hop_up(&real_house.hop);
    house_owner_close_service(owner);
    house_disconnect(owner);
    kw_feed_service_free(owner->ended);
    owner->ended = NULL;
    owner->inner = &real_house.hop.client;
    MUST(house_owner_serve(owner, err));
    house_connect(owner, owner->replicator);
    HOUSE_EVENTUALLY(&real_house, kw_hop_client_connected(owner->client));
    house_raw_begin(owner, &asking, KW_METHOD_RENEW_SERVICE, kw_bytes_str("request"));
    HOUSE_EVENTUALLY(&real_house, real_house.hop.opened == 1);
    cr_assert_not_null(asking.call, "it waits for the answer");
    kw_hop_cancel(asking.call);
    asking_done(&asking);
}
