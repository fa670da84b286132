/* The command table holds together, and command lines are read as it says. */
#include "cli/arguments.h"
#include "cli/completion.h"
#include "cli/help.h"
#include "cli/refusal.h"
#include "cli/settings.h"
#include "common/base/limits.h"
#include "common/rpc/messages.h"
#include "tests/support/pki_fixture.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <unistd.h>

/* --- the table --- */

/* The type of the field at this path, or NULL. */
static const ProtobufCFieldDescriptor *field_at(const ProtobufCMessageDescriptor *type,
                                                const char *path)
{
    char word[64];
    size_t len = strcspn(path, ".");
    const ProtobufCFieldDescriptor *field;

    (void)snprintf(word, sizeof(word), "%.*s", (int)len, path);
    field = protobuf_c_message_descriptor_get_field_by_name(type, word);
    if (field == NULL || path[len] == '\0') {
        return field;
    }
    return field->type == PROTOBUF_C_TYPE_MESSAGE ? field_at(field->descriptor, path + len + 1)
                                                  : NULL;
}

/* The request that a command's flags fill. Those that are no single call say theirs here. */
static enum kw_method_id request_of(const struct kw_command *command)
{
    static const struct {
        const char *words;
        enum kw_method_id method;
    } others[] = {
        {"batch create", KW_METHOD_CREATE_BATCH},
        {"access read", KW_METHOD_GET_DEVICE_ACCESS},
        {"access batch", KW_METHOD_GET_DEVICE_ACCESS},
        {"receipt export", KW_METHOD_GET_VERIFICATION_DATA},
    };
    char words[KW_HELP_WORDS_SIZE];

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (strcmp(kw_help_words(command, words), others[i].words) == 0) {
            return others[i].method;
        }
    }
    return command->call.method;
}

static void check_flags(const struct kw_command *command, const ProtobufCMessageDescriptor *input)
{
    char words[KW_HELP_WORDS_SIZE];

    for (const struct kw_cli_flag *flag = command->flags; flag->name != NULL; flag++) {
        cr_expect_not_null(flag->doc, "%s %s", kw_help_words(command, words), flag->name);
        cr_expect(flag->field == NULL || (input != NULL && field_at(input, flag->field) != NULL),
                  "%s: %s has no field %s", kw_help_words(command, words), flag->name, flag->field);
        cr_expect_lt(flag - command->flags, KW_CLI_FLAGS_MAX);
    }
}

Test(command, every_flag_has_its_field)
{
    for (const struct kw_command *c = kw_command_next(NULL); c != NULL; c = kw_command_next(c)) {
        const struct kw_method *method = kw_method_by_id(request_of(c));

        check_flags(c, method != NULL ? kw_method_messages(method)->input : NULL);
    }
}

static void check_shown(const struct kw_command *command)
{
    const ProtobufCMessageDescriptor *output =
        kw_method_messages(kw_method_by_id(command->call.method))->output;
    const ProtobufCFieldDescriptor *shown = field_at(output, command->call.show);
    const char *const *column = command->call.columns;

    cr_assert_not_null(shown, "%s has no field %s", output->name, command->call.show);
    while (column != NULL && *column != NULL) {
        cr_expect_not_null(field_at(shown->descriptor, *column), "%s has no field %s", shown->name,
                           *column);
        column++;
    }
}

Test(command, every_column_has_its_field)
{
    size_t checked = 0;

    for (const struct kw_command *c = kw_command_next(NULL); c != NULL; c = kw_command_next(c)) {
        if (c->call.show != NULL) {
            check_shown(c);
            checked++;
        }
    }
    cr_expect_gt(checked, 20);
}

Test(command, words_are_unique_and_all_can_run)
{
    size_t count = 0;

    for (const struct kw_command *c = kw_command_next(NULL); c != NULL; c = kw_command_next(c)) {
        cr_expect_eq(kw_command_find(c->noun, c->verb), c);
        cr_expect_not_null(c->run);
        cr_expect_not_null(c->summary);
        cr_expect(kw_command_is_noun(c->noun));
        count++;
    }
    cr_expect_gt(count, 40);
}

/* A public mutation that no command makes could only be made by hand. */
Test(command, every_mutation_of_operators_has_a_command)
{
    static const enum kw_method_id by_hand[] = {KW_METHOD_CREATE_PARTNER_INVITATION,
                                                KW_METHOD_CREATE_STATION_INVITATION}; /* invite */

    size_t count;
    const struct kw_method *table = kw_method_table(&count);

    for (size_t i = 0; i < count; i++) {
        const struct kw_method *method = &table[i];
        bool found = !kw_method_has(method, KW_METHOD_MUTATES) ||
                     (method->roles & KW_CALLER_OPERATOR) == 0 || method->id == by_hand[0] ||
                     method->id == by_hand[1];

        for (const struct kw_command *c = kw_command_next(NULL); c != NULL;
             c = kw_command_next(c)) {
            found = found || c->call.method == method->id;
        }
        cr_expect(found, "no command calls %s", method->path);
    }
}

/* --- finding --- */

Test(command, nearest_words)
{
    cr_expect_str_eq(kw_command_nearest(NULL, "grnat"), "grant");
    cr_expect_str_eq(kw_command_nearest(NULL, "statsu"), "status");
    cr_expect_str_eq(kw_command_nearest("grant", "revok"), "revoke");
    cr_expect_null(kw_command_nearest(NULL, "constantinople"));
    cr_expect_null(kw_command_nearest("grant", ""));
    cr_expect_null(kw_command_find("grant", NULL));
    cr_expect_null(kw_command_find("tour", "de-france"));
}

/* --- command lines --- */

static struct kw_arena *arena;
static struct kw_arguments arguments;
static struct kw_error error;

static void set_up(void)
{
    arena = kw_arena_new(KW_REQUEST_ARENA_MAX);
    cr_assert_not_null(arena);
}

static void tear_down(void)
{
    kw_arena_free(arena);
}

TestSuite(arguments, .init = set_up, .fini = tear_down);

#define READ(noun, verb, ...) read_line(noun, verb, (const char *[]){verb, __VA_ARGS__, NULL})

static enum kw_reason read_line(const char *noun, const char *verb, const char **argv)
{
    int argc = 0;

    while (argv[argc] != NULL) {
        argc++;
    }
    return kw_arguments_read(kw_command_find(noun, verb), argc, (char **)(uintptr_t)argv, arena,
                             &arguments, &error)
        .reason;
}

Test(arguments, flags_places_and_settings)
{
    cr_assert_eq(READ("access", "get", "--purpose=therapy", "devices/dev_x", "--epoch", "7",
                      "--config=a.yaml", "-o", "json"),
                 KW_E_NONE);
    cr_expect_str_eq(kw_argument(&arguments, "DEVICE"), "devices/dev_x");
    cr_expect_str_eq(kw_argument(&arguments, "--purpose"), "therapy");
    cr_expect_str_eq(kw_argument(&arguments, "--epoch"), "7");
    cr_expect_null(kw_argument(&arguments, "--grant"));
    cr_expect_eq(arguments.setting_count, 3);
    cr_expect_str_eq(arguments.settings[1], "--config=a.yaml");
    cr_expect_str_eq(arguments.settings[2], "--output=json");
}

Test(arguments, the_last_one_counts)
{
    cr_assert_eq(READ("access", "get", "--purpose=a", "devices/dev_x", "--purpose=b"), KW_E_NONE);
    cr_expect_str_eq(kw_argument(&arguments, "--purpose"), "b");
}

Test(arguments, mutations_take_request_id_and_dry_run)
{
    cr_assert_eq(
        READ("partner", "create", "--display-name=A", "--contact=B", "--dry-run", "--request-id=x"),
        KW_E_NONE);
    cr_expect_str_eq(kw_argument(&arguments, "--dry-run"), "true");
    cr_expect_str_eq(kw_argument(&arguments, "--request-id"), "x");
    cr_assert_eq(READ("partner", "get", "partners/prt_x", "--dry-run"), KW_E_NONE);
    cr_expect_null(kw_argument(&arguments, "--dry-run"),
                   "a read takes none: the settings refuse it");
}

Test(arguments, mistakes)
{
    cr_expect_eq(READ("access", "get", "devices/dev_x"), KW_E_ARGUMENT_INVALID);
    cr_expect_not_null(strstr(error.message, "--purpose is missing"));
    cr_expect_eq(READ("access", "get", "--purpose=a"), KW_E_ARGUMENT_INVALID);
    cr_expect_eq(READ("access", "get", "a", "b", "--purpose=a"), KW_E_ARGUMENT_INVALID);
    cr_expect_eq(READ("access", "get", "a", "--purpose"), KW_E_ARGUMENT_INVALID);
    cr_expect_eq(READ("access", "read", "a", "--derive=yes"), KW_E_ARGUMENT_INVALID);
}

Test(arguments, help_needs_nothing_else)
{
    cr_assert_eq(READ("access", "get", "--help"), KW_E_NONE);
    cr_expect(arguments.help);
}

Test(arguments, a_flag_that_begins_like_another)
{
    cr_assert_eq(READ("grant", "create", "partners/prt_x", "--operation=release-key", "--purpose=a",
                      "--end-time=+1d", "--justification=b", "--operations=x"),
                 KW_E_NONE);
    cr_expect_str_eq(kw_argument(&arguments, "--operation"), "release-key");
    cr_expect_eq(arguments.setting_count, 2, "what is no flag is for the settings to refuse");
}

Test(arguments, settings_are_known_by_either_spelling)
{
    cr_expect(kw_cli_setting_known("--ca-file"));
    cr_expect(kw_cli_setting_known("--ca_file"));
    cr_expect(kw_cli_setting_known("--config"));
    cr_expect_not(kw_cli_setting_known("--cafile"));
    cr_expect_not(kw_cli_setting_known("ca_file"));
}

/* --- exit codes --- */

static enum kw_exit exit_of(enum kw_grpc_code code)
{
    const struct kw_client_reply reply = {.code = code, .text = "no"};
    struct kw_refusal refusal;

    kw_refusal_from_reply(&reply, &refusal);
    return refusal.exit;
}

Test(refusal, exit_codes_without_details)
{
    cr_expect_eq(exit_of(KW_GRPC_UNAVAILABLE), KW_EXIT_UNREACHABLE);
    cr_expect_eq(exit_of(KW_GRPC_DEADLINE_EXCEEDED), KW_EXIT_UNREACHABLE);
    cr_expect_eq(exit_of(KW_GRPC_NOT_FOUND), KW_EXIT_REFUSED);
    cr_expect_eq(exit_of(KW_GRPC_UNAUTHENTICATED), KW_EXIT_REFUSED);
}

Test(refusal, our_own_mistake)
{
    struct kw_refusal refusal;

    KW_IGNORE(KW_MAKE(&error, ARGUMENT_INVALID, "no such thing"));
    kw_refusal_from_error(&error, &refusal);
    cr_expect_eq(refusal.exit, KW_EXIT_USAGE);
    cr_expect_str_eq(refusal.name, "ARGUMENT_INVALID");
}

/* --- pages made from the table --- */

/* What a page prints; freed by the caller. */
static char *page(void (*print)(FILE *out))
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    print(out);
    (void)fclose(out);
    return text;
}

Test(help, names_every_command)
{
    char *text = page(kw_help_all);
    char words[KW_HELP_WORDS_SIZE];

    for (const struct kw_command *c = kw_command_next(NULL); c != NULL; c = kw_command_next(c)) {
        cr_expect_not_null(strstr(text, kw_help_words(c, words)), "%s", words);
    }
    cr_expect_not_null(strstr(text, "5 unhealthy"));
    free(text);
}

/* Where the explanation begins, in columns of the terminal: at two spaces behind the name. */
Test(help, explanations_stand_below_each_other)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    const char *plain;
    const char *wide;

    kw_help_command(kw_command_find("grant", "create"), out);
    (void)fclose(out);
    plain = strstr(text, "  --batch=NAME");
    wide = strstr(text, "  --device=NAME,…");
    cr_assert(plain != NULL && wide != NULL);
    cr_expect_eq(strstr(wide, "These devices") - wide - (long)(sizeof("…") - 2),
                 strstr(plain, "All devices") - plain);
    free(text);
}

Test(completion, is_a_script_that_bash_takes)
{
    char path[] = "/tmp/kw-completion-XXXXXX";
    const char *const argv[] = {"bash", "-n", path, NULL};
    char *text = page(kw_completion_bash);
    FILE *file = fdopen(mkstemp(path), "w");

    (void)fputs(text, file);
    (void)fclose(file);
    cr_expect_eq(pki_run(argv), 0);
    cr_expect_not_null(strstr(text, " verify"));
    cr_expect_not_null(strstr(text, "--justification="));
    (void)unlink(path);
    free(text);
}
