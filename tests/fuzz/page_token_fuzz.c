/* Page tokens: only what this service made for this list is accepted. */
#include "common/rpc/page_token.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

#define NOW_MS UINT64_C(1767225600000)

static struct kw_secret key;

static const struct kw_page_list *list_of(uint32_t method)
{
    static struct kw_page_list list;

    if (key.slot == NULL) {
        KW_FUZZ_MUST(kw_secret_init(&key, 32, NULL)); /* zeros */
    }
    list = (struct kw_page_list){.key = &key,
                                 .method = method,
                                 .caller = kw_bytes_str("caller"),
                                 .filter = kw_bytes_str("filter"),
                                 .now_ms = NOW_MS};
    return &list;
}

/* A token of ours, with one digit replaced: refused unless it is the same digit. */
static void altered(struct kw_fuzz_input *input)
{
    struct kw_page_place place = {.time_ms = kw_fuzz_u32(input)};
    struct kw_error err = {0};
    char token[KW_PAGE_TOKEN_SIZE];
    size_t at = kw_fuzz_u8(input) % (KW_PAGE_TOKEN_SIZE - 1);
    char digit = "0123456789abcdef"[kw_fuzz_u8(input) % 16];
    bool same;

    KW_FUZZ_MUST(kw_page_token_make(list_of(1), &place, token, NULL));
    same = token[at] == digit;
    token[at] = digit;
    KW_FUZZ_CHECK(kw_fuzz_accepted(kw_page_token_read(list_of(1), token, &place, &err), &err) ==
                  same);
    KW_FUZZ_CHECK(!kw_fuzz_accepted(kw_page_token_read(list_of(2), token, &place, &err), &err));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kw_fuzz_input input = KW_FUZZ_INPUT(data, size);
    struct kw_page_place place = {0};
    struct kw_error err = {0};
    char *text = kw_fuzz_text(KW_BYTES(data, size));

    if (kw_fuzz_accepted(kw_page_token_read(list_of(0), text, &place, &err), &err)) {
        char again[KW_PAGE_TOKEN_SIZE];

        /* The honest files are of method 0 and this moment. */
        KW_FUZZ_MUST(kw_page_token_make(list_of(0), &place, again, NULL));
        KW_FUZZ_CHECK(strcmp(again, text) == 0);
    }
    altered(&input);
    free(text);
    return 0;
}
