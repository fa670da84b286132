/* keyward: the operator's and developer's command. Finds the command in the table and runs it. */
#include "cli/cli.h"
#include "cli/help.h"
#include "common/harden/harden.h"

#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static bool asks_for_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0;
}

static enum kw_exit unknown(const char *noun, const char *typed)
{
    const char *nearest = kw_command_nearest(noun, typed);

    (void)fprintf(stderr, "keyward: there is no command \"%s%s%s\"", noun != NULL ? noun : "",
                  noun != NULL ? " " : "", typed);
    if (nearest != NULL) {
        (void)fprintf(stderr, "; did you mean \"%s%s%s\"?", noun != NULL ? noun : "",
                      noun != NULL ? " " : "", nearest);
    }
    (void)fprintf(stderr, "\nSee keyward --help.\n");
    return KW_EXIT_USAGE;
}

/* The words after a noun that has verbs. */
static enum kw_exit run_verb(const char *noun, int argc, char **argv)
{
    const struct kw_command *command;

    if (argc == 0 || asks_for_help(argv[0])) {
        kw_help_noun(noun, argc == 0 ? stderr : stdout);
        return argc == 0 ? KW_EXIT_USAGE : KW_EXIT_OK;
    }
    command = kw_command_find(noun, argv[0]);
    return command != NULL ? kw_cli_run(command, argc, argv) : unknown(noun, argv[0]);
}

static enum kw_exit run(int argc, char **argv)
{
    const struct kw_command *command;

    if (argc < 2 || asks_for_help(argv[1])) {
        kw_help_all(argc < 2 ? stderr : stdout);
        return argc < 2 ? KW_EXIT_USAGE : KW_EXIT_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        (void)printf("keyward %s\n", KW_VERSION);
        return KW_EXIT_OK;
    }
    if (argv[1][0] == '-') {
        (void)fprintf(stderr, "keyward: NOUN VERB come first, then flags: keyward status "
                              "--config=FILE\nSee keyward --help.\n");
        return KW_EXIT_USAGE;
    }
    command = kw_command_find(argv[1], NULL);
    if (command != NULL) {
        return kw_cli_run(command, argc - 1, argv + 1);
    }
    return kw_command_is_noun(argv[1]) ? run_verb(argv[1], argc - 2, argv + 2)
                                       : unknown(NULL, argv[1]);
}

int main(int argc, char **argv)
{
    struct kw_error error;

    if (!kw_ok(kw_harden_privacy(&error))) { /* a member's key and keys of pens come to be here */
        (void)fprintf(stderr, "keyward: %s\n", error.message);
        return KW_EXIT_USAGE;
    }
    (void)setlocale(LC_CTYPE, "C.UTF-8"); /* tables measure text by it */
    /* Names are found as services find them: gRPC's own way waits for a name server where /etc/hosts would do. */
    (void)setenv("GRPC_DNS_RESOLVER", "native", 0);
    (void)signal(SIGPIPE, SIG_IGN);
    return (int)run(argc, argv);
}
