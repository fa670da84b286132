/* Keys and items of questions about a log. */
#include "common/feed/log_copy.h"

#include "common/base/codec.h"
#include "common/feed/lane_codec.h"

bool kw_log_from_start(const struct kw_log_ask *ask)
{
    static const uint8_t none[KW_LOG_NAME_LEN];

    return kw_bytes_equal(KW_BYTES_OF(ask->name), KW_BYTES_OF(none));
}

void kw_log_key_write(const struct kw_log_ask *ask, uint8_t out[KW_LOG_KEY_LEN])
{
    kw_copy(out, ask->name, KW_LOG_NAME_LEN);
    kw_be64_store(out + KW_LOG_NAME_LEN, ask->number);
    kw_copy(out + KW_LOG_NAME_LEN + sizeof(uint64_t), ask->keeper.bytes, KW_ID_LEN);
}

void kw_log_chain_write(const struct kw_log_chain *chain, uint8_t out[KW_LOG_CHAIN_LEN])
{
    kw_copy(out, chain->name, KW_LOG_NAME_LEN);
    kw_be64_store(out + KW_LOG_NAME_LEN, chain->end);
}

struct kw_result kw_log_key_read(struct kw_bytes key, struct kw_log_ask *ret_ask,
                                 struct kw_error *err)
{
    struct kw_reader r = KW_READER(key);

    kw_get_copy(&r, ret_ask->name, KW_LOG_NAME_LEN);
    ret_ask->number = kw_get_number(&r);
    kw_get_copy(&r, ret_ask->keeper.bytes, KW_ID_LEN);
    return kw_reader_end(&r, "a place in a log", err);
}

struct kw_result kw_log_chain_read(struct kw_bytes item, struct kw_log_chain *ret_chain,
                                   struct kw_error *err)
{
    struct kw_reader r = KW_READER(item);

    kw_get_copy(&r, ret_chain->name, KW_LOG_NAME_LEN);
    ret_chain->end = kw_get_number(&r);
    return kw_reader_end(&r, "a chain of a log", err);
}
