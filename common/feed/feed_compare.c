/* Ours against theirs. */
#include "common/feed/feed_compare.h"

#include "common/base/codec.h"
#include "common/feed/feed_answer.h"
#include "common/feed/feed_digests.h"
#include "common/feed/feed_rows.h"
#include "common/feed/question.h"

struct kw_result kw_feed_ask(struct kw_id store, enum kw_ask_purpose purpose,
                             const struct kw_answer_place *from, struct kw_ask *ret_ask,
                             struct kw_error *err)
{
    *ret_ask = (struct kw_ask){.purpose = purpose, .store = store, .from = *from};
    return kw_id_random(&ret_ask->nonce, err);
}

struct comparing {
    const struct kw_feed *feed;
    struct kw_tx *tx;
    const struct kw_answer *answer;
    struct kw_arena *arena;
    struct kw_feed_differences *found;
};

static void note_node(const struct comparing *c, struct kw_digest_node node)
{
    if (c->found->node_count < KW_DIGEST_NODES_MAX) {
        c->found->nodes[c->found->node_count++] = node;
    }
}

static bool equals(struct kw_bytes theirs, const uint8_t ours[KW_SHA256_LEN])
{
    return kw_bytes_equal(theirs, KW_BYTES(ours, KW_SHA256_LEN));
}

/* Tables of one release alone are not compared. */
static struct kw_result compare_root(const struct comparing *c, struct kw_bytes item,
                                     struct kw_error *err)
{
    struct kw_reader r = KW_READER(item);
    struct kw_digest_node root = {.table = kw_get_u16(&r)};
    uint8_t ours[KW_SHA256_LEN];

    if (kw_feed_table_of(c->feed, root.table) == NULL) {
        return KW_OK;
    }
    KW_TRY(kw_feed_digest(c->tx, root, ours, err));
    if (!equals(r.rest, ours)) {
        note_node(c, root);
    }
    return KW_OK;
}

static struct kw_result compare_children(const struct comparing *c, struct kw_digest_node node,
                                         struct kw_error *err)
{
    uint8_t ours[KW_DIGEST_FAN][KW_SHA256_LEN];

    KW_TRY(kw_feed_digest_children(c->tx, node, ours, err));
    for (unsigned i = 0; i < KW_DIGEST_FAN; i++) {
        if (!equals(c->answer->items[i], ours[i])) {
            note_node(c, kw_digest_child(node, i));
        }
    }
    return KW_OK;
}

/* One that is damaged there (zeros) they can't hand over. */
static struct kw_result compare_row(const struct comparing *c, struct kw_digest_node node,
                                    struct kw_bytes item, size_t *len, struct kw_error *err)
{
    static const uint8_t damaged[KW_SHA256_LEN];
    struct kw_bytes digest = KW_BYTES(item.data, KW_SHA256_LEN);
    struct kw_bytes key = KW_BYTES(item.data + KW_SHA256_LEN, item.len - KW_SHA256_LEN);
    struct kw_feed_differences *found = c->found;
    uint8_t ours[KW_SHA256_LEN];
    bool has;

    KW_TRY(kw_feed_row_digest(c->tx, node.table, key, ours, &has, err));
    if ((has && equals(digest, ours)) || equals(digest, damaged) ||
        *len + KW_QUESTION_KEY_LEN(key) > KW_QUESTION_KEYS_LEN_MAX) {
        return KW_OK;
    }
    *len += KW_QUESTION_KEY_LEN(key);
    return kw_arena_copy(c->arena, key, &found->keys[found->key_count++], err);
}

static struct kw_result compare_bucket(const struct comparing *c, struct kw_digest_node node,
                                       struct kw_error *err)
{
    size_t len = 0;

    c->found->keys = kw_arena_alloc(c->arena, c->answer->count * sizeof(*c->found->keys));
    KW_ENSURE(c->found->keys != NULL, err, MEMORY, "the keys of rows");
    for (size_t i = 0; i < c->answer->count; i++) {
        KW_TRY(compare_row(c, node, c->answer->items[i], &len, err));
    }
    return KW_OK;
}

static struct kw_result compare(const struct comparing *c, struct kw_error *err)
{
    const struct kw_answer_place *from = &c->answer->to.from;
    uint8_t reach[KW_SHA256_LEN];
    struct kw_digest_node node;
    struct kw_bytes after;

    KW_TRY(kw_feed_reach(c->tx, reach, err));
    c->found->same_reach = equals(KW_BYTES_OF(c->answer->reach), reach);
    if (kw_digest_named(from->table, from->key, &node, &after)) {
        return node.level == KW_DIGEST_LEVELS ? compare_bucket(c, node, err)
                                              : compare_children(c, node, err);
    }
    for (size_t i = 0; i < c->answer->count; i++) {
        KW_TRY(compare_root(c, c->answer->items[i], err));
    }
    return KW_OK;
}

struct kw_result kw_feed_compare(const struct kw_feed *feed, struct kw_tx *tx,
                                 const struct kw_ask *ask, const struct kw_answer *answer,
                                 struct kw_arena *arena, enum kw_answer_verdict *ret_verdict,
                                 struct kw_feed_differences *ret_differences, struct kw_error *err)
{
    const struct comparing c = {feed, tx, answer, arena, ret_differences};

    *ret_differences = (struct kw_feed_differences){0};
    KW_TRY(kw_feed_judge_answer(feed, tx, ask, answer, ret_verdict, err));
    return *ret_verdict == KW_ANSWER_GOOD ? compare(&c, err) : KW_OK;
}
