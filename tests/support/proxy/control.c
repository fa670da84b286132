/* Requests as a table: a word, what it takes, what it does. */
#include "tests/support/proxy/control.h"

#include "tests/support/proxy/link.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define WORDS_MAX  40U
#define TEXT_MAX   256U
#define ALL_FAULTS "every fault"
#define BLANKS     " \t\r\n"
#define DECIMAL    10

struct word {
    char *key;
    char *value;
};

struct request {
    const char *command;
    struct word words[WORDS_MAX];
    size_t word_count;
};

/* --- the line --- */

static void say(struct kw_buf *answer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void say(struct kw_buf *answer, const char *format, ...)
{
    char text[TEXT_MAX];
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (len < 0 || (size_t)len >= sizeof(text) ||
        !kw_ok(kw_buf_append(answer, KW_BYTES(text, (size_t)len), NULL))) {
        abort();
    }
}

static struct kw_result take_word(struct request *request, char *text, struct kw_error *err)
{
    char *equals = strchr(text, '=');

    KW_ENSURE(equals != NULL, err, ARGUMENT_INVALID, "no key=value: %s", text);
    KW_ENSURE(request->word_count < WORDS_MAX, err, ARGUMENT_INVALID, "too many words");
    *equals = '\0';
    request->words[request->word_count++] = (struct word){text, equals + 1};
    return KW_OK;
}

static struct kw_result take_apart(char *line, struct request *request, struct kw_error *err)
{
    char *rest = NULL;
    char *text = strtok_r(line, BLANKS, &rest);

    *request = (struct request){.command = text};
    KW_ENSURE(text != NULL, err, ARGUMENT_INVALID, "nothing asked");
    while ((text = strtok_r(NULL, BLANKS, &rest)) != NULL) {
        KW_TRY(take_word(request, text, err));
    }
    return KW_OK;
}

/* NULL: it was not said. */
static const char *value_of(const struct request *request, const char *key)
{
    for (size_t i = 0; i < request->word_count; i++) {
        if (strcmp(request->words[i].key, key) == 0) {
            return request->words[i].value;
        }
    }
    return NULL;
}

static struct kw_result number(const char *text, uint64_t *ret_value, struct kw_error *err)
{
    char *end = NULL;

    *ret_value = text == NULL ? 0 : strtoull(text, &end, DECIMAL);
    KW_ENSURE(text != NULL && *text >= '0' && *text <= '9' && *end == '\0', err, ARGUMENT_INVALID,
              "no number: %s", text == NULL ? "" : text);
    return KW_OK;
}

static struct kw_result link_of(struct control *control, const struct request *request,
                                struct link ***ret_link, struct kw_error *err)
{
    uint64_t n;

    KW_TRY(number(value_of(request, "link"), &n, err));
    KW_ENSURE(n > 0 && n <= control->link_count && control->links[n - 1] != NULL, err, NOT_FOUND,
              "no link %" PRIu64, n);
    *ret_link = &control->links[n - 1];
    return KW_OK;
}

/* --- link --- */

static struct kw_result endpoint_said(const struct request *request, const char *key,
                                      const char *otherwise, struct endpoint *ret_endpoint,
                                      struct kw_error *err)
{
    const char *text = value_of(request, key);

    if (text != NULL || otherwise != NULL) {
        KW_TRY(endpoint_parse(text != NULL ? text : otherwise, ret_endpoint, err));
    }
    return KW_OK;
}

static struct kw_result do_link(struct control *control, const struct request *request,
                                struct kw_buf *answer, struct kw_error *err)
{
    struct link_options options = {.loop = control->loop, .seed = control->link_count + 1};
    struct link *link;

    KW_TRY(endpoint_said(request, "listen", "127.0.0.1:0", &options.listen, err));
    KW_TRY(endpoint_said(request, "target", NULL, &options.target, err));
    if (value_of(request, "seed") != NULL) {
        KW_TRY(number(value_of(request, "seed"), &options.seed, err));
    }
    KW_ENSURE(control->link_count < PROXY_LINKS_MAX, err, LIMIT_REACHED, "too many links");
    KW_TRY(link_new(&options, &link, err));
    control->links[control->link_count++] = link;
    say(answer, "ok link=%u port=%d", control->link_count, endpoint_port(link_local(link)));
    return KW_OK;
}

/* --- set, heal --- */

/* The ways a request is about. */
static struct kw_result ways_said(const struct request *request, bool ret_ways[PROXY_WAYS],
                                  struct kw_error *err)
{
    const char *way = value_of(request, "way");
    bool both = way == NULL || strcmp(way, "both") == 0;

    ret_ways[PROXY_UP] = both || strcmp(way, "up") == 0;
    ret_ways[PROXY_DOWN] = both || strcmp(way, "down") == 0;
    KW_ENSURE(ret_ways[PROXY_UP] || ret_ways[PROXY_DOWN], err, ARGUMENT_INVALID, "no way: %s", way);
    return KW_OK;
}

static bool is_fault(const char *key)
{
    return strcmp(key, "link") != 0 && strcmp(key, "way") != 0 && strcmp(key, "target") != 0 &&
           strcmp(key, "refuse") != 0;
}

static struct kw_result faults_said(const struct request *request, struct proxy_faults *faults,
                                    struct kw_error *err)
{
    for (size_t i = 0; i < request->word_count; i++) {
        const struct word *word = &request->words[i];
        uint64_t value;

        if (is_fault(word->key)) {
            KW_TRY(number(word->value, &value, err));
            KW_ENSURE(proxy_faults_set(faults, word->key, value), err, ARGUMENT_INVALID,
                      "no fault, or above its bound: %s", word->key);
        }
    }
    return KW_OK;
}

static struct kw_result refusal_said(const struct request *request, struct link *link,
                                     struct kw_error *err)
{
    uint64_t refuse;

    if (value_of(request, "refuse") != NULL) {
        KW_TRY(number(value_of(request, "refuse"), &refuse, err));
        KW_TRY(link_refuse(link, refuse != 0, err));
    }
    return KW_OK;
}

/* On copies, until nothing can fail any more. */
static struct kw_result do_set(struct control *control, const struct request *request,
                               struct kw_buf *answer, struct kw_error *err)
{
    struct link **link;
    struct proxy_faults faults[PROXY_WAYS];
    struct endpoint target = {0};
    bool ways[PROXY_WAYS];

    KW_TRY(link_of(control, request, &link, err));
    KW_TRY(ways_said(request, ways, err));
    KW_TRY(endpoint_said(request, "target", NULL, &target, err));
    memcpy(faults, link_books(*link)->faults, sizeof(faults));
    for (int way = 0; way < PROXY_WAYS; way++) {
        if (ways[way]) {
            KW_TRY(faults_said(request, &faults[way], err));
        }
    }
    KW_TRY(refusal_said(request, *link, err));
    memcpy(link_books(*link)->faults, faults, sizeof(faults));
    if (target.len != 0) {
        link_target(*link, &target);
    }
    link_look(*link);
    say(answer, "ok");
    return KW_OK;
}

static struct kw_result do_heal(struct control *control, const struct request *request,
                                struct kw_buf *answer, struct kw_error *err)
{
    struct link **link;

    KW_TRY(link_of(control, request, &link, err));
    KW_TRY(link_refuse(*link, false, err));
    for (int way = 0; way < PROXY_WAYS; way++) {
        proxy_faults_init(&link_books(*link)->faults[way]);
    }
    link_look(*link);
    say(answer, "ok");
    return KW_OK;
}

/* --- reset, stats, close --- */

static struct kw_result do_reset(struct control *control, const struct request *request,
                                 struct kw_buf *answer, struct kw_error *err)
{
    struct link **link;

    KW_TRY(link_of(control, request, &link, err));
    say(answer, "ok connections=%u", link_reset(*link));
    return KW_OK;
}

static struct kw_result do_stats(struct control *control, const struct request *request,
                                 struct kw_buf *answer, struct kw_error *err)
{
    static const char *const names[PROXY_WAYS] = {"up", "down"};
    struct link **link;
    const struct proxy_books *books;

    KW_TRY(link_of(control, request, &link, err));
    books = link_books(*link);
    say(answer, "ok accepted=%" PRIu64 " open=%" PRIu64 " resets=%" PRIu64 " unreachable=%" PRIu64,
        books->accepted, books->open, books->resets, books->unreachable);
    for (int way = 0; way < PROXY_WAYS; way++) {
        const struct proxy_counts *counts = &books->counts[way];

#define SAY_COUNT(name) say(answer, " %s." #name "=%" PRIu64, names[way], counts->name);
        PROXY_COUNTS(SAY_COUNT)
#undef SAY_COUNT
    }
    return KW_OK;
}

static struct kw_result do_close(struct control *control, const struct request *request,
                                 struct kw_buf *answer, struct kw_error *err)
{
    struct link **link;

    KW_TRY(link_of(control, request, &link, err));
    link_close(*link);
    *link = NULL;
    say(answer, "ok");
    return KW_OK;
}

/* --- requests --- */

static const struct command {
    const char *word;
    const char *keys[4]; /* that it knows; ALL_FAULTS: any other is a fault's name */
    const char *text;
    struct kw_result (*run)(struct control *control, const struct request *request,
                            struct kw_buf *answer, struct kw_error *err);
} commands[] = {
    {"link",
     {"target", "listen", "seed"},
     "[target=ADDRESS] [listen=ADDRESS] [seed=N]: a new link",
     do_link},
    {"set",
     {ALL_FAULTS},
     "link=N [way=up|down|both] [FAULT=VALUE …] [refuse=0|1] [target=ADDRESS]",
     do_set},
    {"heal", {"link"}, "link=N: no fault, nothing refused", do_heal},
    {"reset", {"link"}, "link=N: resets its connections", do_reset},
    {"stats", {"link"}, "link=N: what it did", do_stats},
    {"close", {"link"}, "link=N: closes it and its connections", do_close},
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static bool knows(const struct command *command, const char *key)
{
    for (size_t i = 0; command->keys[i] != NULL; i++) {
        if (strcmp(command->keys[i], ALL_FAULTS) == 0 || strcmp(command->keys[i], key) == 0) {
            return true;
        }
    }
    return false;
}

static struct kw_result find(const struct request *request, const struct command **ret_command,
                             struct kw_error *err)
{
    size_t n = 0;

    while (n < COMMAND_COUNT && strcmp(commands[n].word, request->command) != 0) {
        n++;
    }
    KW_ENSURE(n < COMMAND_COUNT, err, ARGUMENT_INVALID, "no such request: %s", request->command);
    for (size_t i = 0; i < request->word_count; i++) {
        KW_ENSURE(knows(&commands[n], request->words[i].key), err, ARGUMENT_INVALID,
                  "%s knows no %s", request->command, request->words[i].key);
    }
    *ret_command = &commands[n];
    return KW_OK;
}

static struct kw_result run(struct control *control, char *line, struct kw_buf *answer,
                            struct kw_error *err)
{
    struct request request;
    const struct command *command;

    KW_TRY(take_apart(line, &request, err));
    KW_TRY(find(&request, &command, err));
    return command->run(control, &request, answer, err);
}

void control_run(struct control *control, char *line, struct kw_buf *answer)
{
    struct kw_error err = {0};

    if (!kw_ok(run(control, line, answer, &err))) {
        say(answer, "error %s", err.message);
    }
    say(answer, "\n");
}

void control_done(struct control *control)
{
    for (unsigned i = 0; i < control->link_count; i++) {
        if (control->links[i] != NULL) {
            link_close(control->links[i]);
            control->links[i] = NULL;
        }
    }
}

void control_help(void)
{
    (void)printf("Requests, a line each; addresses are 127.0.0.1:PORT or unix:PATH\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        (void)printf("  %-6s %s\n", commands[i].word, commands[i].text);
    }
    (void)printf("Faults of one way\n");
    for (size_t i = 0; i < proxy_fault_row_count; i++) {
        (void)printf("  %-16s %s\n", proxy_fault_rows[i].name, proxy_fault_rows[i].text);
    }
}
