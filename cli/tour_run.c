/* Running the tour's commands exactly as they are printed. */
#include "cli/tour_run.h"

#include "common/base/clock.h"
#include "common/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUTPUT_LEN_MAX (1024U * 1024U)
#define LINE_WIDTH     100U

extern char **environ;

uint64_t kw_tour_elapsed_ms(const struct kw_tour *tour)
{
    return (kw_clock_mono_ns() - tour->start_ns) / KW_NS_PER_MS;
}

/* --- signals --- */

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

struct kw_result kw_tour_signals_catch(struct kw_error *err)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};

    (void)sigemptyset(&action.sa_mask);
    KW_ENSURE(sigaction(SIGINT, &action, NULL) == 0 && sigaction(SIGTERM, &action, NULL) == 0, err,
              SYSTEM, "signals: %s", strerror(errno));
    return KW_OK;
}

bool kw_tour_interrupted(void)
{
    return interrupted != 0;
}

/* --- running --- */

bool kw_tour_program_there(const char *program)
{
    const char *dir = getenv("PATH");
    bool there = false;

    while (dir != NULL && *dir != '\0' && !there) {
        size_t len = strcspn(dir, ":");
        char path[PATH_MAX];

        (void)snprintf(path, sizeof(path), "%.*s/%s", (int)len, dir, program);
        there = access(path, X_OK) == 0;
        dir += len + (dir[len] == ':' ? 1 : 0);
    }
    return there;
}

/* Program, words, and whose settings. */
static size_t argv_make(const struct kw_tour *tour, const struct kw_tour_step *step,
                        const char *argv[KW_TOUR_WORDS_MAX + 3])
{
    size_t count = 0;

    argv[count++] = step->program != NULL ? step->program : "keyward";
    for (size_t i = 0; i < KW_TOUR_WORDS_MAX && step->words[i] != NULL; i++) {
        argv[count++] = step->words[i];
    }
    if (step->as != NULL) {
        argv[count++] = kw_arena_printf(tour->arena, "--config=%s/cli.yaml", step->as);
    }
    argv[count] = NULL;
    return count;
}

static struct kw_result output_read(int fd, struct kw_buf *out, struct kw_error *err)
{
    ssize_t len = 1;

    while (len > 0 && out->len < OUTPUT_LEN_MAX) {
        KW_TRY(kw_buf_reserve(out, 4096, err));
        len = read(fd, out->data + out->len, 4096);
        out->len += len > 0 ? (size_t)len : 0;
        if (len < 0 && errno == EINTR) {
            len = 1;
        }
    }
    KW_ENSURE(len == 0, err, SYSTEM, "a command's output: %s", strerror(errno));
    return KW_OK;
}

static int spawn(const struct kw_tour *tour, const struct kw_tour_step *step, int out_fd,
                 pid_t *ret_pid)
{
    const char *argv[KW_TOUR_WORDS_MAX + 3];
    posix_spawn_file_actions_t actions;
    int rc;

    (void)argv_make(tour, step, argv);
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_addchdir_np(&actions, tour->dir);
    (void)posix_spawn_file_actions_adddup2(&actions, out_fd, STDOUT_FILENO);
    (void)posix_spawn_file_actions_adddup2(&actions, out_fd, STDERR_FILENO);
    rc = posix_spawnp(ret_pid, step->program != NULL ? step->program : tour->keyward, &actions,
                      NULL, (char *const *)(uintptr_t)argv, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    return rc;
}

static struct kw_result wait_for(pid_t pid, int *ret_code, struct kw_error *err)
{
    int status = 0;

    while (waitpid(pid, &status, 0) < 0) {
        KW_ENSURE(errno == EINTR, err, SYSTEM, "waiting: %s", strerror(errno));
    }
    *ret_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return KW_OK;
}

/* Output and exit code of the command. */
static struct kw_result run(struct kw_tour *tour, const struct kw_tour_step *step, int *ret_code,
                            struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf out = {0};
    KW_SCOPED(kw_fd_close) int in_fd = -1;
    int fds[2];
    pid_t pid = 0;
    int rc;

    KW_ENSURE(pipe2(fds, O_CLOEXEC) == 0, err, SYSTEM, "a pipe: %s", strerror(errno));
    in_fd = fds[0];
    rc = spawn(tour, step, fds[1], &pid);
    (void)close(fds[1]);
    KW_ENSURE(rc == 0, err, SYSTEM, "%s: %s", step->program != NULL ? step->program : "keyward",
              strerror(rc));
    KW_TRY(output_read(in_fd, &out, err));
    KW_TRY(wait_for(pid, ret_code, err));
    tour->output = kw_arena_text(tour->arena, (const char *)out.data, out.len);
    KW_ENSURE(tour->output != NULL, err, MEMORY, "a command's output");
    return KW_OK;
}

/* It ended with this code, and says what it must. */
static bool is_good(const struct kw_tour *tour, const struct kw_tour_step *step, int code)
{
    return code == step->expected &&
           (step->naming == NULL || strstr(tour->output, step->naming) != NULL);
}

struct kw_result kw_tour_try(struct kw_tour *tour, const struct kw_tour_step *step, bool *ret_good,
                             struct kw_error *err)
{
    int code = 0;

    KW_TRY(run(tour, step, &code, err));
    KW_ENSURE(!kw_tour_interrupted(), err, CANCELLED, "interrupted");
    *ret_good = is_good(tour, step, code);
    return KW_OK;
}

struct kw_result kw_tour_run(struct kw_tour *tour, const struct kw_tour_step *step,
                             struct kw_error *err)
{
    int code = 0;

    KW_TRY(run(tour, step, &code, err));
    KW_ENSURE(!kw_tour_interrupted(), err, CANCELLED, "interrupted");
    if (is_good(tour, step, code)) {
        return KW_OK;
    }
    kw_tour_print(tour, &(struct kw_tour_step){.program = step->program, .as = step->as});
    KW_FAIL(err, STATE_CONFLICT, "%s%s%s ended with %d, not with %d%s%s", step->words[0],
            step->words[1] != NULL ? " " : "", step->words[1] != NULL ? step->words[1] : "", code,
            step->expected, step->naming != NULL ? " and " : "",
            step->naming != NULL ? step->naming : "");
}

/* --- printing --- */

static bool needs_quotes(const char *word)
{
    return strpbrk(word, " $'\"&|;<>*(){}") != NULL;
}

/* A word as a shell takes it. */
static const char *quoted(const struct kw_tour *tour, const char *word)
{
    const char *text = needs_quotes(word) ? kw_arena_printf(tour->arena, "'%s'", word) : word;

    return text != NULL ? text : word;
}

/* The command, broken where it gets too long. */
static void command_print(const struct kw_tour *tour, const struct kw_tour_step *step)
{
    const char *argv[KW_TOUR_WORDS_MAX + 3];
    size_t count = argv_make(tour, step, argv);
    size_t column = 6;

    (void)printf("    $ %s", argv[0]);
    column += strlen(argv[0]);
    for (size_t i = 1; i < count; i++) {
        const char *word = quoted(tour, argv[i]);

        if (column + 1 + strlen(word) > LINE_WIDTH) {
            (void)printf(" \\\n         ");
            column = 9;
        }
        (void)printf(" %s", word);
        column += 1 + strlen(word);
    }
    (void)printf("\n");
}

/* Does the line begin with one of the words? */
static bool is_wanted(const char *line, const char *words)
{
    while (words != NULL && *words != '\0') {
        size_t len = strcspn(words, ",");

        if (strncmp(line, words, len) == 0) {
            return true;
        }
        words += len + (words[len] == ',' ? 1 : 0);
    }
    return words == NULL;
}

/* Indented, and cut where a terminal would wrap it. Ids and times are ASCII: so is what is cut. */
static void line_print(const char *line, size_t len)
{
    bool cut = len > LINE_WIDTH + 20;

    while (len > 0 && line[len - 1] == ' ') {
        len--;
    }
    (void)printf("%s%.*s%s\n", len > 0 ? "      " : "", (int)(cut ? LINE_WIDTH + 20 : len), line,
                 cut ? "…" : "");
}

static void output_print(const char *output, const char *words)
{
    while (*output != '\0') {
        size_t len = strcspn(output, "\n");

        if (is_wanted(output, words)) {
            line_print(output, len);
        }
        output += len + (output[len] == '\n' ? 1 : 0);
    }
}

void kw_tour_print(struct kw_tour *tour, const struct kw_tour_step *step)
{
    if (step->words[0] != NULL) {
        command_print(tour, step);
        tour->commands++;
        tour->refusals += step->expected != KW_EXIT_OK ? 1 : 0;
    }
    if (step->show == NULL || step->show[0] != '\0') {
        output_print(tour->output, step->show);
    }
    if (step->remark != NULL) {
        (void)printf("      %s\n", step->remark);
    }
    (void)fflush(stdout);
}

struct kw_result kw_tour_step(struct kw_tour *tour, const struct kw_tour_step *step,
                              struct kw_error *err)
{
    KW_TRY(kw_tour_run(tour, step, err));
    kw_tour_print(tour, step);
    return KW_OK;
}

static struct kw_result word_take(const struct kw_tour *tour, const char *at, const char **ret_word,
                                  struct kw_error *err)
{
    *ret_word = kw_arena_text(tour->arena, at, strcspn(at, " \n"));
    KW_ENSURE(*ret_word != NULL, err, MEMORY, "a word");
    return KW_OK;
}

struct kw_result kw_tour_value(const struct kw_tour *tour, const char *name, const char **ret_value,
                               struct kw_error *err)
{
    size_t len = strlen(name);
    const char *line = tour->output;

    while (line != NULL && !(strncmp(line, name, len) == 0 && line[len] == ' ')) {
        line = strchr(line, '\n');
        line = line != NULL ? line + 1 : NULL;
    }
    KW_ENSURE(line != NULL, err, STATE_CONFLICT, "the answer has no %s", name);
    return word_take(tour, line + len + strspn(line + len, " "), ret_value, err);
}

struct kw_result kw_tour_word(const struct kw_tour *tour, const char *prefix, const char **ret_word,
                              struct kw_error *err)
{
    const char *at = strstr(tour->output, prefix);

    KW_ENSURE(at != NULL, err, STATE_CONFLICT, "the answer has no %s", prefix);
    return word_take(tour, at, ret_word, err);
}
