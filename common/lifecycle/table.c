/* The table itself, the two rules by which it is read, and its printed form. */
#include "common/lifecycle/table.h"

/* Columns in the order of severity: one of the first four by enabling facts, any of the others by
 * disabling ones. */
enum column {
    COLUMN_GENERATED, /* not yet durable */
    COLUMN_PROTECTED, /* durable, the device has not proved to hold it */
    COLUMN_READY,     /* durable and confirmed */
    COLUMN_ACTIVE,
    COLUMN_SUSPENDED,
    COLUMN_DEACTIVATED,
    COLUMN_COMPROMISED,
    COLUMN_DESTROYED,
    COLUMN_COUNT,
};

enum rule {
    EVERY, /* uses and enables: each column the key stands in must allow it */
    LAST,  /* disables, or reads: the most severe one decides */
};

struct row {
    const char *name;
    enum rule rule;
    unsigned cells[COLUMN_COUNT]; /* bits 1 << enum kw_actor */
};

#define P              (1U << KW_ACTOR_PARTNER)
#define S              (1U << KW_ACTOR_STATION)
#define O              (1U << KW_ACTOR_OPERATOR)
#define A              (1U << KW_ACTOR_AUDITOR)
#define V              (1U << KW_ACTOR_SERVICE)
#define SO             (S | O)
#define OV             (O | V)
#define R              (S | O | A | V)
#define N              0U
#define ROW(operation) [KW_OPERATION_##operation]

/* clang-format off */
static const struct row rows[KW_OPERATION_COUNT_] = {
    /* generated, protected, ready, active; suspended, deactivated, compromised, destroyed */
    ROW(NONE)               = {"none",               EVERY, {N,   N,   N,   N,   N,   N,   N,   N}},
    ROW(PROTECT)            = {"protect",            EVERY, {V,   V,   V,   V,   V,   V,   V,   N}},
    ROW(DELIVER_TO_STATION) = {"deliver_to_station", EVERY, {N,   S,   S,   N,   N,   N,   N,   N}},
    ROW(CONFIRM)            = {"confirm",            EVERY, {S,   S,   S,   S,   N,   N,   N,   N}},
    ROW(ACTIVATE)           = {"activate",           EVERY, {N,   N,   SO,  SO,  N,   N,   N,   N}},
    ROW(RELEASE)            = {"release",            EVERY, {N,   N,   N,   P,   N,   N,   N,   N}},
    ROW(RELEASE_PAST)       = {"release_past",       EVERY, {N,   N,   N,   P,   N,   P,   N,   N}},
    ROW(DERIVE_SESSION)     = {"derive_session",     EVERY, {N,   N,   N,   P,   N,   N,   N,   N}},
    ROW(SUSPEND)            = {"suspend",            LAST,  {OV,  OV,  OV,  OV,  OV,  OV,  OV,  N}},
    ROW(LIFT)               = {"lift",               EVERY, {O,   O,   O,   O,   O,   O,   N,   N}},
    ROW(DEACTIVATE)         = {"deactivate",         LAST,  {OV,  OV,  OV,  OV,  OV,  OV,  OV,  N}},
    ROW(REPORT_COMPROMISE)  = {"report_compromise",  LAST,  {O,   O,   O,   O,   O,   O,   O,   O}},
    ROW(DESTROY)            = {"destroy",            LAST,  {O,   O,   O,   N,   O,   O,   O,   N}},
    ROW(READ)               = {"read",               LAST,  {R,   R,   R,   R,   R,   R,   R,   R}},
};
/* clang-format on */

#undef P
#undef S
#undef O
#undef A
#undef V
#undef SO
#undef OV
#undef R
#undef N
#undef ROW

static const char *const columns[COLUMN_COUNT] = {
    "generated", "protected",   "ready",       "active",
    "suspended", "deactivated", "compromised", "destroyed",
};

static const char *const actors[KW_ACTOR_COUNT_] = {
    [KW_ACTOR_PARTNER] = "partner",   [KW_ACTOR_STATION] = "station",
    [KW_ACTOR_OPERATOR] = "operator", [KW_ACTOR_AUDITOR] = "auditor",
    [KW_ACTOR_INVITED] = "invited",   [KW_ACTOR_SERVICE] = "service",
};

const char *kw_operation_name(enum kw_operation operation)
{
    return (unsigned)operation < KW_OPERATION_COUNT_ ? rows[operation].name : "unknown";
}

const char *kw_actor_name(enum kw_actor actor)
{
    return (unsigned)actor < KW_ACTOR_COUNT_ ? actors[actor] : "unknown";
}

/* The column of the enabling facts: a step counts only with those before it. */
static enum column enabled_column(const struct kw_key_state *state)
{
    if (!state->is_protected) {
        return COLUMN_GENERATED;
    }
    if (!state->confirmed) {
        return COLUMN_PROTECTED;
    }
    return state->activated ? COLUMN_ACTIVE : COLUMN_READY;
}

static bool stands_in(const struct kw_key_state *state, enum column column)
{
    switch (column) {
    case COLUMN_GENERATED:
    case COLUMN_PROTECTED:
    case COLUMN_READY:
    case COLUMN_ACTIVE:
        return column == enabled_column(state);
    case COLUMN_SUSPENDED:
        return kw_state_suspended(state);
    case COLUMN_DEACTIVATED:
        return state->deactivated;
    case COLUMN_COMPROMISED:
        return state->compromised;
    case COLUMN_DESTROYED:
        return state->destroyed;
    case COLUMN_COUNT:
    default:
        return false;
    }
}

/* The column that refuses, or COLUMN_COUNT when none does. */
static enum column refusing_column(const struct kw_key_state *state, const struct row *row,
                                   unsigned actor_bit)
{
    enum column refusing = COLUMN_COUNT;

    for (unsigned i = 0; i < COLUMN_COUNT; i++) {
        enum column column = (enum column)i;

        if (!stands_in(state, column)) {
            continue;
        }
        if ((row->cells[column] & actor_bit) == 0) {
            refusing = column;
        } else if (row->rule == LAST) {
            refusing = COLUMN_COUNT;
        }
    }
    return refusing;
}

static bool ever_allowed(const struct row *row, unsigned actor_bit)
{
    for (unsigned i = 0; i < COLUMN_COUNT; i++) {
        if ((row->cells[i] & actor_bit) != 0) {
            return true;
        }
    }
    return false;
}

/* The reason to refuse, or NONE; `ret_column` is then the column that refuses, if it is about a
 * column. */
static enum kw_reason judge(const struct kw_key_state *state, enum kw_operation operation,
                            enum kw_actor actor, enum column *ret_column)
{
    const struct row *row;
    unsigned actor_bit;

    *ret_column = COLUMN_COUNT;
    if ((unsigned)operation >= KW_OPERATION_COUNT_ || (unsigned)actor >= KW_ACTOR_COUNT_) {
        return KW_E_PERMISSION_DENIED;
    }
    row = &rows[operation];
    actor_bit = 1U << actor;
    if (!ever_allowed(row, actor_bit)) {
        return KW_E_PERMISSION_DENIED;
    }
    *ret_column = refusing_column(state, row, actor_bit);
    if (*ret_column == COLUMN_COUNT) {
        return KW_E_NONE;
    }
    if (operation == KW_OPERATION_ACTIVATE && *ret_column == COLUMN_PROTECTED) {
        return KW_E_POSSESSION_UNPROVEN;
    }
    return KW_E_KEY_STATE;
}

bool kw_state_allows(const struct kw_key_state *state, enum kw_operation operation,
                     enum kw_actor actor, enum kw_reason *ret_reason)
{
    enum column column;
    enum kw_reason reason = judge(state, operation, actor, &column);

    if (reason != KW_E_NONE && ret_reason != NULL) {
        *ret_reason = reason;
    }
    return reason == KW_E_NONE;
}

struct kw_result kw_state_require(const struct kw_key_state *state, enum kw_operation operation,
                                  enum kw_actor actor, struct kw_error *err)
{
    const char *what = kw_operation_name(operation);
    const char *who = kw_actor_name(actor);
    enum column column;
    enum kw_reason reason = judge(state, operation, actor, &column);

    KW_ENSURE(reason != KW_E_PERMISSION_DENIED, err, PERMISSION_DENIED,
              "%s may not %s in any state", who, what);
    KW_ENSURE(reason != KW_E_POSSESSION_UNPROVEN, err, POSSESSION_UNPROVEN,
              "%s by %s: the device has not proved to hold the key", what, who);
    KW_ENSURE(reason == KW_E_NONE, err, KEY_STATE, "%s by %s: the key is %s", what, who,
              columns[column]);
    return KW_OK;
}

static void put_text(struct kw_writer *w, const char *text)
{
    kw_put_raw(w, kw_bytes_str(text));
}

static void put_cell(struct kw_writer *w, unsigned cell)
{
    bool first = true;

    put_text(w, " ");
    for (unsigned i = 0; i < KW_ACTOR_COUNT_; i++) {
        if ((cell & (1U << i)) == 0) {
            continue;
        }
        put_text(w, first ? "" : ", ");
        put_text(w, actors[i]);
        first = false;
    }
    put_text(w, first ? "– |" : " |");
}

static void put_row(struct kw_writer *w, const struct row *row)
{
    put_text(w, "| ");
    put_text(w, row->name);
    put_text(w, row->rule == EVERY ? " | every |" : " | last |");
    for (unsigned i = 0; i < COLUMN_COUNT; i++) {
        put_cell(w, row->cells[i]);
    }
    put_text(w, "\n");
}

static const char document_head[] =
    "# Key states\n"
    "Who may do what with a key in which state. Written by `keyward-key-states` from the table in\n"
    "`common/lifecycle/table.c`, which authz, orchestrator, crypto core and the offline verifier "
    "decide by.\n"
    "\n"
    "A key stands in one of the first four columns by its enabling facts: *generated*; "
    "*protected*, when it is durable;\n"
    "*ready*, when its device has also proved to hold it; *active*. It stands in any of the other "
    "four as well by its\n"
    "disabling facts; *suspended* until every suspension is lifted, the others for good. A key's "
    "64th suspension is for good too.\n"
    "\n"
    "Rule *every*: each column the key stands in must allow it, so no disabling fact ever allows a "
    "use.\n"
    "Rule *last*: the rightmost column the key stands in decides.\n"
    "\n"
    "| operation | rule |";

struct kw_result kw_table_document(struct kw_buf *out, struct kw_error *err)
{
    struct kw_writer w = KW_WRITER(out);

    put_text(&w, document_head);
    for (unsigned i = 0; i < COLUMN_COUNT; i++) {
        put_text(&w, " ");
        put_text(&w, columns[i]);
        put_text(&w, " |");
    }
    put_text(&w, "\n| --- | --- |");
    for (unsigned i = 0; i < COLUMN_COUNT; i++) {
        put_text(&w, " --- |");
    }
    put_text(&w, "\n");
    for (unsigned i = KW_OPERATION_NONE + 1; i < KW_OPERATION_COUNT_; i++) {
        put_row(&w, &rows[i]);
    }
    return kw_writer_end(&w, err);
}
