/* Settings: parses the text of one value, checks it against its row and stores it. The same for
 * every source. */
#include "common/base/limits.h"
#include "common/base/settings_internal.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

/* The complaint about a value. The value itself is left out: it may have been meant as a secret. */
#define BAD_VALUE(err, setting, choice, format, ...)                                               \
    KW_FAIL(err, CONFIG_INVALID, "setting %s, from %s: " format, (setting)->name,                  \
            (choice)->source, ##__VA_ARGS__)

static uint64_t upper_bound(const struct kw_setting *setting, uint64_t of_type)
{
    return setting->max != 0 ? setting->max : of_type;
}

/* min and max of the row, for numbers, lengths and counts alike. */
static struct kw_result check_range(const struct kw_setting *setting,
                                    const struct kw_setting_choice *choice, const char *what,
                                    uint64_t value, uint64_t max, struct kw_error *err)
{
    if (value < setting->min || value > max) {
        BAD_VALUE(err, setting, choice, "%s %" PRIu64 " is not in %" PRIu64 "..%" PRIu64, what,
                  value, setting->min, max);
    }
    return KW_OK;
}

/* Digits only: strtoull alone would take signs, blanks and other bases. */
static struct kw_result parse_number(const struct kw_setting *setting,
                                     const struct kw_setting_choice *choice, uint64_t type_max,
                                     uint64_t *ret_value, struct kw_error *err)
{
    size_t digits = strspn(choice->text, "0123456789");
    uint64_t value;

    if (digits == 0 || choice->text[digits] != '\0') {
        BAD_VALUE(err, setting, choice, "expected a decimal number");
    }
    errno = 0;
    value = strtoull(choice->text, NULL, 10);
    if (errno == ERANGE) {
        BAD_VALUE(err, setting, choice, "the number is too large");
    }
    KW_TRY(check_range(setting, choice, "value", value, upper_bound(setting, type_max), err));
    *ret_value = value;
    return KW_OK;
}

static struct kw_result store_u32(const struct kw_setting *setting,
                                  const struct kw_setting_choice *choice, uint32_t *field,
                                  struct kw_error *err)
{
    uint64_t value;

    KW_TRY(parse_number(setting, choice, UINT32_MAX, &value, err));
    *field = (uint32_t)value;
    return KW_OK;
}

static struct kw_result store_bool(const struct kw_setting *setting,
                                   const struct kw_setting_choice *choice, bool *field,
                                   struct kw_error *err)
{
    bool yes = strcmp(choice->text, "true") == 0;

    if (!yes && strcmp(choice->text, "false") != 0) {
        BAD_VALUE(err, setting, choice, "expected true or false");
    }
    *field = yes;
    return KW_OK;
}

/* "host:port" or "[v6]:port", port 0 to 65535. Whether the host resolves is for later. */
static bool is_address(const char *text)
{
    const char *colon = strrchr(text, ':');
    size_t digits;

    if (colon == NULL || colon == text) {
        return false;
    }
    if (text[0] == '[' ? colon[-1] != ']' : strchr(text, ':') != colon) {
        return false;
    }
    digits = strspn(colon + 1, "0123456789");
    return digits > 0 && digits <= 5 && colon[1 + digits] == '\0' &&
           strtoul(colon + 1, NULL, 10) <= UINT16_MAX;
}

static struct kw_result check_text(const struct kw_setting *setting,
                                   const struct kw_setting_choice *choice, struct kw_error *err)
{
    if (setting->type == KW_SETTING_ADDRESS && !is_address(choice->text)) {
        BAD_VALUE(err, setting, choice, "expected host:port");
    }
    if (setting->type == KW_SETTING_SECRET_FILE && strchr(choice->text, '/') == NULL) {
        BAD_VALUE(err, setting, choice, "expected the path of a file, with a slash in it");
    }
    return check_range(setting, choice, "length", strlen(choice->text),
                       upper_bound(setting, SIZE_MAX), err);
}

static struct kw_result store_text(const struct kw_setting *setting,
                                   const struct kw_setting_choice *choice, char **field,
                                   struct kw_error *err)
{
    KW_TRY(check_text(setting, choice, err));
    *field = strdup(choice->text);
    KW_ENSURE(*field != NULL, err, MEMORY, "setting %s", setting->name);
    return KW_OK;
}

/* Appends a copy; the array has room. */
static struct kw_result list_add(struct kw_strings *list, const char *item, size_t len,
                                 struct kw_error *err)
{
    char *copy = strndup(item, len);

    KW_ENSURE(copy != NULL, err, MEMORY, "item of a list");
    list->items[list->count++] = copy;
    return KW_OK;
}

/* "a,b,c"; blanks are part of an item, because a path may have them. */
static struct kw_result list_split(struct kw_strings *list, const char *text, struct kw_error *err)
{
    while (true) {
        size_t len = strcspn(text, ",");

        KW_TRY(list_add(list, text, len, err));
        if (text[len] == '\0') {
            return KW_OK;
        }
        text += len + 1;
    }
}

static size_t count_items(const struct kw_setting_choice *choice)
{
    size_t count = 1;

    if (choice->text == NULL) {
        return choice->item_count;
    }
    for (const char *c = choice->text; *c != '\0'; c++) {
        count += *c == ',';
    }
    return count;
}

static struct kw_result store_list(const struct kw_setting *setting,
                                   const struct kw_setting_choice *choice, struct kw_strings *field,
                                   struct kw_error *err)
{
    size_t count = count_items(choice);

    KW_TRY(check_range(setting, choice, "count", count, upper_bound(setting, KW_SETTINGS_LIST_MAX),
                       err));
    field->items = calloc(count + 1, sizeof(*field->items));
    KW_ENSURE(field->items != NULL, err, MEMORY, "setting %s", setting->name);
    if (choice->text != NULL) {
        return list_split(field, choice->text, err);
    }
    for (size_t i = 0; i < count; i++) {
        KW_TRY(list_add(field, choice->items[i], strlen(choice->items[i]), err));
    }
    return KW_OK;
}

static struct kw_result store_given(const struct kw_setting *setting,
                                    const struct kw_setting_choice *choice, void *field,
                                    struct kw_error *err)
{
    switch (setting->type) {
    case KW_SETTING_STRING:
    case KW_SETTING_PATH:
    case KW_SETTING_SECRET_FILE:
    case KW_SETTING_ADDRESS:
        return store_text(setting, choice, field, err);
    case KW_SETTING_U32:
        return store_u32(setting, choice, field, err);
    case KW_SETTING_U64:
        return parse_number(setting, choice, UINT64_MAX, field, err);
    case KW_SETTING_BOOL:
        return store_bool(setting, choice, field, err);
    case KW_SETTING_LIST:
        return store_list(setting, choice, field, err);
    }
    KW_FAIL(err, INTERNAL, "setting %s has no type", setting->name);
}

/* Text and lists may be given as nothing, which overrides a fallback; a number or a bool may not.
 */
static bool may_be_empty(enum kw_setting_type type)
{
    return type != KW_SETTING_U32 && type != KW_SETTING_U64 && type != KW_SETTING_BOOL;
}

struct kw_result kw_setting_store(const struct kw_setting *setting,
                                  const struct kw_setting_choice *choice, void *config,
                                  struct kw_error *err)
{
    bool absent = choice->text == NULL && choice->items == NULL;
    bool empty = choice->text != NULL ? *choice->text == '\0' : choice->item_count == 0;

    KW_ENSURE(!empty || !setting->required, err, CONFIG_INVALID, "setting %s is required",
              setting->name);
    if (absent || (empty && may_be_empty(setting->type))) {
        return KW_OK;
    }
    assert(choice->text != NULL || setting->type == KW_SETTING_LIST);
    return store_given(setting, choice, kw_setting_field(setting, config), err);
}
