/* The logger: one JSON object a line on stderr, plain text when stderr is a terminal. Fields, not
 * sentences.
 *
 *     KW_LOG(WARN, "call failed", KW_F_STR("peer", peer), KW_F_U64("attempt", n), KW_F_ERR(err));
 *
 * The message is a constant, lower case, without full stop. There is no field type for a secret.
 * Any thread.
 */
#ifndef KW_COMMON_BASE_LOG_H
#define KW_COMMON_BASE_LOG_H

#include "common/base/bytes.h"
#include "common/base/id.h"

enum kw_log_level {
    KW_LOG_DEBUG,
    KW_LOG_INFO,
    KW_LOG_WARN,
    KW_LOG_ERROR
};

enum kw_log_type {
    KW_FIELD_STR,
    KW_FIELD_U64,
    KW_FIELD_I64,
    KW_FIELD_BOOL,
    KW_FIELD_HEX,
    KW_FIELD_ID,
    KW_FIELD_ERR
};

struct kw_log_field {
    const char *name;
    enum kw_log_type type;
    union {
        const char *str; /* NULL is logged as null */
        uint64_t u64;
        int64_t i64;
        bool boolean;
        struct kw_bytes hex; /* public bytes: digests, fingerprints */
        const struct kw_error *err;
        struct {
            enum kw_id_kind kind;
            struct kw_id value;
        } id;
    };
};

#define KW_F_STR(n, v)  ((struct kw_log_field){.name = (n), .type = KW_FIELD_STR, .str = (v)})
#define KW_F_U64(n, v)  ((struct kw_log_field){.name = (n), .type = KW_FIELD_U64, .u64 = (v)})
#define KW_F_I64(n, v)  ((struct kw_log_field){.name = (n), .type = KW_FIELD_I64, .i64 = (v)})
#define KW_F_BOOL(n, v) ((struct kw_log_field){.name = (n), .type = KW_FIELD_BOOL, .boolean = (v)})
#define KW_F_HEX(n, v)  ((struct kw_log_field){.name = (n), .type = KW_FIELD_HEX, .hex = (v)})
#define KW_F_ID(n, k, v)                                                                           \
    ((struct kw_log_field){.name = (n), .type = KW_FIELD_ID, .id = {.kind = (k), .value = (v)}})
#define KW_F_ERR(e) ((struct kw_log_field){.name = "err", .type = KW_FIELD_ERR, .err = (e)})

/* Names the process in every line and sets the lowest level written. `service` is static; `region`
 * is copied, because the settings it comes from may be gone when the last line is written. Before
 * threads start. */
void kw_log_setup(const char *service, const char *region, enum kw_log_level lowest);

/* The level with this name ("debug", "info", "warn", "error"). Fails: CONFIG_INVALID. */
struct kw_result kw_log_level_parse(const char *name, enum kw_log_level *ret_level,
                                    struct kw_error *err);

void kw_log_write(enum kw_log_level level, const char *message, const struct kw_log_field *fields,
                  size_t count);

#define KW_LOG(level, message, ...)                                                                \
    kw_log_write(KW_LOG_##level, (message), (const struct kw_log_field[]){{0}, ##__VA_ARGS__} + 1, \
                 sizeof((const struct kw_log_field[]){{0}, ##__VA_ARGS__}) /                       \
                         sizeof(struct kw_log_field) -                                             \
                     1)

#endif
