/* Copies of logs: whose, what of them, and how far ours are. */
#include "common/feed_service/keeping.h"

#include "common/base/clock.h"
#include "common/base/container.h"
#include "common/base/metrics.h"
#include "common/feed/feed_answer.h"
#include "common/feed/feed_members.h"
#include "common/feed_service/errands.h"
#include "common/feed_service/feed_service_internal.h"

static const struct kw_feed_errand beginning, listing, fetching;

static const struct kw_feed_log *log_of(const struct kw_feed_service *service)
{
    return service->options.feed->options.log;
}

/* --- whose --- */

/* A look at the members. */
struct looking {
    struct kw_feed_service *service;
    struct kw_feed_member *members;
    size_t count;
    struct kw_keeper_place us;
    struct kw_keeper_place *places; /* of those that keep something: who leaves does not */
    size_t place_count;
};

static struct kw_keeper_place place_of(const struct kw_feed_member *member)
{
    return (struct kw_keeper_place){member->region, member->cell};
}

static bool is_keeper(const struct looking *l, const struct kw_keeper_place *who,
                      const struct kw_keeper_place *origin, enum kw_keeper keeper)
{
    const struct kw_keeper_place *chosen = kw_keeper_of(l->places, l->place_count, origin, keeper);

    return chosen != NULL && kw_keeper_place_equal(chosen, who);
}

static void note_origin(const struct looking *l, const struct kw_feed_member *member)
{
    struct kw_feed_keep_found *found = &l->service->keeping.found;
    const struct kw_keeper_place place = place_of(member);
    bool ours =
        is_keeper(l, &l->us, &place, KW_KEEPER_NEAR) || is_keeper(l, &l->us, &place, KW_KEEPER_FAR);

    if (ours && found->origin_count < KW_PEERS_MAX) {
        found->origins[found->origin_count++] = (struct kw_feed_origin){.store = member->store};
    }
}

static void note_keeper(const struct looking *l, const struct kw_feed_member *member,
                        enum kw_keeper keeper)
{
    struct kw_feed_keep_found *found = &l->service->keeping.found;
    const struct kw_keeper_place place = place_of(member);

    if (is_keeper(l, &place, &l->us, keeper) && found->keeper_count < KW_PEERS_MAX) {
        found->keepers[found->keeper_count++] = (struct kw_feed_keeper){member->store, keeper};
        found->has[keeper] = true;
    }
}

static void note_all(const struct looking *l)
{
    for (size_t i = 0; i < l->count; i++) {
        note_origin(l, &l->members[i]);
        note_keeper(l, &l->members[i], KW_KEEPER_NEAR);
        note_keeper(l, &l->members[i], KW_KEEPER_FAR);
    }
}

static struct kw_result look(struct kw_feed_service *service, struct kw_tx *tx,
                             struct kw_arena *arena, struct kw_error *err)
{
    const struct kw_spiffe *self = &service->options.identity->trust.self;
    struct looking l = {.service = service,
                        .us = {kw_bytes_str(self->region), kw_bytes_str(self->cell)}};

    KW_TRY(kw_feed_members(tx, arena, &l.members, &l.count, err));
    l.places = kw_arena_alloc(arena, l.count * sizeof(*l.places));
    KW_ENSURE(l.places != NULL, err, MEMORY, "the places of members");
    for (size_t i = 0; i < l.count; i++) {
        if (l.members[i].state != KW_STORE_DRAINING) {
            l.places[l.place_count++] = place_of(&l.members[i]);
        }
    }
    note_all(&l);
    return KW_OK;
}

/* --- how far ours are --- */

static struct kw_result count_own(struct kw_feed_service *service, struct kw_tx *tx,
                                  struct kw_arena *arena, struct kw_error *err)
{
    struct kw_log_chain *chains = kw_arena_alloc(arena, KW_LOG_CHAINS_MAX * sizeof(*chains));
    uint8_t after[KW_LOG_NAME_LEN] = {0};
    size_t count = KW_LOG_CHAINS_MAX;

    KW_ENSURE(chains != NULL, err, MEMORY, "the chains of the log");
    while (count == KW_LOG_CHAINS_MAX) {
        KW_TRY(log_of(service)->chains(tx, after, chains, KW_LOG_CHAINS_MAX, &count, err));
        for (size_t i = 0; i < count; i++) {
            service->keeping.found.total += chains[i].end;
            kw_copy(after, chains[i].name, sizeof(after));
        }
    }
    return KW_OK;
}

/* From when we begin to look, or there is such a cell: what was before nobody knows. */
static void begin_counting(struct kw_feed_unshipped *unshipped, bool has, uint64_t now_ns)
{
    if (!has || unshipped->whole_ns == 0) {
        *unshipped = (struct kw_feed_unshipped){.asked_ns = now_ns, .whole_ns = now_ns};
    }
}

static void show(struct kw_feed_service *service)
{
    struct kw_feed_keeping *keeping = &service->keeping;
    uint64_t total = keeping->now.total;

    for (int keeper = KW_KEEPER_NEAR; keeper < KW_KEEPER_END_; keeper++) {
        struct kw_feed_unshipped *unshipped = &keeping->unshipped[keeper];
        const char *name = kw_keeper_name((enum kw_keeper)keeper);
        uint64_t now_ns = kw_clock_mono_ns();
        uint64_t age_ms;
        bool lacks;

        begin_counting(unshipped, keeping->now.has[keeper], now_ns);
        lacks = keeping->now.has[keeper] && unshipped->kept < total;
        age_ms = lacks ? (now_ns - unshipped->whole_ns) / KW_NS_PER_MS : 0;
        kw_metric_set(KW_M_RECEIPTS_UNSHIPPED, name,
                      lacks ? (int64_t)(total - unshipped->kept) : 0);
        kw_metric_set(KW_M_RECEIPTS_UNSHIPPED_AGE, name, (int64_t)age_ms);
    }
}

/* It has what it says, which was all there was when it asked before if it is as much. */
static void note_told(struct kw_feed_unshipped *unshipped, uint64_t kept, uint64_t total)
{
    unshipped->kept = kept;
    if (kept >= unshipped->asked) {
        unshipped->whole_ns = unshipped->asked_ns;
        unshipped->asked = total;
        unshipped->asked_ns = kw_clock_mono_ns();
    }
}

void kw_feed_keeping_told(struct kw_feed_service *service, const struct kw_log_ask *ask)
{
    struct kw_feed_keeping *keeping = &service->keeping;

    for (size_t i = 0; i < keeping->now.keeper_count; i++) {
        if (kw_id_equal(keeping->now.keepers[i].store, ask->keeper)) {
            note_told(&keeping->unshipped[keeping->now.keepers[i].keeper], ask->number,
                      keeping->now.total);
        }
    }
}

/* --- the beginning --- */

static struct kw_result run_begin(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_feed_service *service = KW_CONTAINER_OF(job, struct kw_feed_task, job)->service;
    struct kw_arena *arena = kw_arena_new(KW_FEED_CHANGE_MEMORY_MAX);
    struct kw_result result;

    KW_ENSURE(arena != NULL, err, MEMORY, "an arena for the members");
    service->keeping.found = (struct kw_feed_keep_found){0};
    result = look(service, tx, arena, err);
    if (kw_ok(result)) {
        result = count_own(service, tx, arena, err);
    }
    kw_arena_free(arena);
    return result;
}

/* How far a look at one of them has come is kept; those that can't be asked are left out. */
static void take_found(struct kw_feed_service *service)
{
    struct kw_feed_keeping *keeping = &service->keeping;
    struct kw_feed_keep_found *found = &keeping->found;
    size_t count = 0;

    for (size_t i = 0; i < found->origin_count; i++) {
        struct kw_feed_origin origin = found->origins[i];

        for (size_t k = 0; k < keeping->now.origin_count; k++) {
            if (kw_id_equal(keeping->now.origins[k].store, origin.store)) {
                origin.kept = keeping->now.origins[k].kept;
            }
        }
        if (kw_feed_neighbours_have(&service->neighbours, origin.store)) {
            found->origins[count++] = origin;
        }
    }
    found->origin_count = count;
    keeping->now = *found;
}

static void stop(struct kw_feed_service *service)
{
    service->errands.now = NULL;
}

static void ask(struct kw_feed_service *service, enum kw_ask_purpose purpose)
{
    struct kw_feed_keeping *keeping = &service->keeping;
    uint8_t key[KW_LOG_KEY_LEN];
    const struct kw_answer_place place = {.section = KW_SECTION_LANES, .key = KW_BYTES_OF(key)};

    keeping->steps++;
    keeping->asked.keeper = service->options.feed->options.store;
    kw_log_key_write(&keeping->asked, key);
    service->errands.now = purpose == KW_ASK_CHAINS ? &listing : &fetching;
    kw_feed_errand_ask(service, keeping->now.origins[keeping->at].store, purpose, &place, NULL, 0);
}

static void ask_chains(struct kw_feed_service *service)
{
    struct kw_feed_keeping *keeping = &service->keeping;

    kw_copy(keeping->asked.name, keeping->after, KW_LOG_NAME_LEN);
    keeping->asked.number = keeping->now.origins[keeping->at].kept;
    ask(service, KW_ASK_CHAINS);
}

static void ask_segment(struct kw_feed_service *service)
{
    struct kw_feed_keeping *keeping = &service->keeping;
    struct kw_feed_wanted *wanted = &keeping->wanted[keeping->wanted_at];

    kw_copy(keeping->asked.name, wanted->chain.name, KW_LOG_NAME_LEN);
    wanted->before = wanted->kept;
    keeping->asked.number = wanted->kept;
    ask(service, KW_ASK_SEGMENT);
}

/* The look at one origin, from its first chain on. Also when one at another has failed, whose fault that may be: other
   errands are as due as they were. */
static void begin_origin(struct kw_feed_service *service)
{
    struct kw_feed_keeping *keeping = &service->keeping;

    if (keeping->left == 0) {
        stop(service);
        return;
    }
    keeping->left--;
    keeping->at = (keeping->at + 1) % keeping->now.origin_count;
    keeping->counted = 0;
    keeping->listed = false;
    keeping->wanted_count = keeping->wanted_at = 0;
    kw_copy(keeping->after, (const uint8_t[KW_LOG_NAME_LEN]){0}, KW_LOG_NAME_LEN);
    ask_chains(service);
}

static void begin_done(struct kw_feed_task *task)
{
    struct kw_feed_service *service = task->service;

    service->errands.at_store = false;
    if (!kw_ok(task->job.result)) {
        kw_feed_service_log(service, "whose log is to be kept", &task->job.error);
        stop(service);
        return;
    }
    take_found(service);
    show(service);
    service->keeping.left = service->closing ? 0 : service->keeping.now.origin_count;
    begin_origin(service);
}

/* --- when --- */

/* Is another errand due? It is not kept waiting for more than a few questions. */
static bool gives_way(const struct kw_feed_service *service)
{
    return service->neighbours.count > 0 && service->keeping.steps >= KW_KEEP_STEPS &&
           (atomic_load(&service->joining) || kw_clock_mono_ns() >= service->errands.due_ns);
}

static void begin(struct kw_feed_service *service)
{
    struct kw_error error = {0};

    service->keeping.due_ns = kw_feed_errand_time(service, KW_ERRAND_SOON);
    service->keeping.steps = 0;
    service->errands.now = &beginning;
    service->errand = (struct kw_feed_task){.job = {.run = run_begin}, .done = begin_done};
    service->errands.at_store = kw_ok(kw_feed_task_read(service, &service->errand, &error));
    if (!service->errands.at_store) {
        kw_feed_service_log(service, "whose log is to be kept", &error);
        stop(service);
    }
}

void kw_feed_keeping_tend(struct kw_feed_service *service)
{
    if (log_of(service) != NULL && kw_clock_mono_ns() >= service->keeping.due_ns &&
        service->errands.now == NULL && !service->errands.at_store && !service->draining &&
        !atomic_load(&service->joining)) {
        begin(service);
    }
}

static void go_on(struct kw_feed_service *service)
{
    struct kw_feed_keeping *keeping = &service->keeping;

    if (gives_way(service)) {
        keeping->due_ns = kw_feed_errand_time(service, KW_ERRAND_SOON);
        stop(service);
    } else if (keeping->wanted_at < keeping->wanted_count) {
        ask_segment(service);
    } else if (!keeping->listed) {
        ask_chains(service);
    } else {
        keeping->now.origins[keeping->at].kept = keeping->counted;
        begin_origin(service);
    }
}

static void refused(struct kw_feed_service *service, enum kw_feed_answered how)
{
    (void)how;
    begin_origin(service);
}

static const struct kw_feed_errand beginning = {.refused = refused};

/* --- chains --- */

static struct kw_result place_bytes(struct kw_tx *tx, struct kw_id store, struct kw_arena *arena,
                                    struct kw_record *row, struct kw_bytes *ret_place,
                                    struct kw_error *err)
{
    bool found;

    KW_TRY(kw_feed_find(tx, &kw_store_record, kw_id_bytes(&store), arena, row, &found, err));
    *ret_place = found ? kw_record_value(row, KW_STORE_FIELD_PLACE) : KW_BYTES_NONE;
    return KW_OK;
}

static struct kw_result want(struct kw_feed_service *service, struct kw_tx *tx,
                             struct kw_bytes place, struct kw_bytes item, struct kw_error *err)
{
    struct kw_feed_keeping *keeping = &service->keeping;
    struct kw_feed_wanted wanted = {0};

    KW_TRY(kw_log_chain_read(item, &wanted.chain, err));
    KW_TRY(log_of(service)->kept(tx, place, wanted.chain.name, &wanted.kept, &wanted.takes, err));
    keeping->counted += wanted.kept < wanted.chain.end ? wanted.kept : wanted.chain.end;
    if (wanted.takes && wanted.kept < wanted.chain.end) {
        keeping->wanted[keeping->wanted_count++] = wanted;
    }
    return KW_OK;
}

static struct kw_result run_list(struct kw_feed_service *service, struct kw_tx *tx,
                                 struct kw_arena *arena, const struct kw_answer *answer,
                                 struct kw_error *err)
{
    struct kw_feed_keeping *keeping = &service->keeping;
    struct kw_log_ask next;
    struct kw_record row;
    struct kw_bytes place;

    KW_TRY(kw_feed_judge_answer(service->options.feed, tx, &service->errands.ask, answer,
                                &service->errands.verdict, err));
    if (service->errands.verdict != KW_ANSWER_GOOD) {
        return KW_OK;
    }
    KW_TRY(place_bytes(tx, answer->to.store, arena, &row, &place, err));
    keeping->wanted_count = keeping->wanted_at = 0;
    for (size_t i = 0; i < answer->count; i++) {
        KW_TRY(want(service, tx, place, answer->items[i], err));
    }
    keeping->listed = kw_answer_place_equal(&answer->next, &answer->to.from);
    KW_TRY(kw_log_key_read(answer->next.key, &next, err));
    kw_copy(keeping->after, next.name, KW_LOG_NAME_LEN);
    return KW_OK;
}

static const struct kw_feed_errand listing = {
    .run = run_list, .done = go_on, .refused = refused, .failed = begin_origin};

/* --- segments --- */

static struct kw_result offer(struct kw_feed_service *service, struct kw_tx *tx,
                              struct kw_arena *arena, const struct kw_answer *answer,
                              struct kw_error *err)
{
    struct kw_feed_keeping *keeping = &service->keeping;
    struct kw_feed_wanted *wanted = &keeping->wanted[keeping->wanted_at];
    const struct kw_feed_log *log = log_of(service);
    struct kw_log_offer made = {.feed = service->options.feed,
                                .store = answer->to.store,
                                .asked = &keeping->asked,
                                .evidence = kw_buf_bytes(&service->questions.answer),
                                .now_ms = kw_clock_wall_ms()};
    struct kw_record row;

    KW_TRY(place_bytes(tx, answer->to.store, arena, &row, &made.place, err));
    made.region = kw_store_record_region(&row);
    made.cell = kw_store_record_cell(&row);
    if (answer->count > 0) {
        made.segment = answer->items[0];
        KW_TRY(log->keep(log->context, tx, &made, arena, err));
    }
    return log->kept(tx, made.place, wanted->chain.name, &wanted->kept, &wanted->takes, err);
}

static struct kw_result run_fetch(struct kw_feed_service *service, struct kw_tx *tx,
                                  struct kw_arena *arena, const struct kw_answer *answer,
                                  struct kw_error *err)
{
    KW_TRY(kw_feed_judge_answer(service->options.feed, tx, &service->errands.ask, answer,
                                &service->errands.verdict, err));
    return service->errands.verdict == KW_ANSWER_GOOD ? offer(service, tx, arena, answer, err)
                                                      : KW_OK;
}

/* A chain of which nothing came is left for the next look. */
static void fetch_done(struct kw_feed_service *service)
{
    struct kw_feed_keeping *keeping = &service->keeping;
    struct kw_feed_wanted *wanted = &keeping->wanted[keeping->wanted_at];
    uint64_t end = wanted->kept < wanted->chain.end ? wanted->kept : wanted->chain.end;

    keeping->counted += end - wanted->before;
    if (!wanted->takes || wanted->kept == wanted->before || wanted->kept >= wanted->chain.end) {
        keeping->wanted_at++;
    }
    go_on(service);
}

static const struct kw_feed_errand fetching = {.writes = true,
                                               .run = run_fetch,
                                               .done = fetch_done,
                                               .refused = refused,
                                               .failed = begin_origin};
