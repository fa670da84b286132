/* Runs Criterion's tests without Criterion's processes.
 *
 * Criterion starts every test in a copy of the program that shares a heap with it at a fixed address, which
 * neither ThreadSanitizer nor valgrind lets it have. This file takes the place of its `main` and of what tests
 * report to, and runs each test in a forked child: same tests, same fixtures, same lines of TAP. It knows
 * --filter=SUITE/TEST (a pattern), and takes Criterion's other options without a word. */
#include <criterion/criterion.h>
#include <criterion/event.h>
#include <criterion/new/assert.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SKIPPED      77
#define TIMEOUT_S    60
#define SLOWER       10 /* a test takes longer under an instrument than its author thought of */
#define NAME_LEN_MAX 256

/* Criterion's own sections, between the linker's marks. */
extern struct criterion_test *__start_cr_tst;
extern struct criterion_test *__stop_cr_tst;
extern struct criterion_suite *__start_cr_sts __attribute__((weak));
extern struct criterion_suite *__stop_cr_sts __attribute__((weak));

static bool failed; /* an expectation of this process's test */

static struct criterion_test_extra_data *suite_data(const char *name)
{
    for (struct criterion_suite **suite = &__start_cr_sts; suite < &__stop_cr_sts; suite++) {
        if (*suite != NULL && strcmp((*suite)->name, name) == 0) {
            return (*suite)->data;
        }
    }
    return NULL;
}

/* What a failed check says, and every part of it that did not hold. */
static void print_node(const struct cri_assert_node *node)
{
    if (node->repr != NULL && !node->pass) {
        (void)fprintf(stderr, "    %s\n", node->repr);
    }
    for (uint32_t i = 0; i < node->nchild; i++) {
        print_node(&node->children[i]);
    }
}

void cri_assert_node_send(const char *file, size_t line, struct cri_assert_node *tree)
{
    const char *message = tree->message != NULL ? tree->message : "";

    failed = true;
    (void)fprintf(stderr, "%s:%zu: %s\n", file, line, message);
    print_node(tree);
}

void criterion_send_assert(struct criterion_assert_stats *stats)
{
    if (!stats->passed) {
        failed = true;
        (void)fprintf(stderr, "%s:%u: %s\n", stats->file, stats->line, stats->message);
    }
}

void cri_asserts_passed_incr(void)
{
}

void criterion_continue_test(void)
{
    failed = true;
}

void criterion_abort_test(void)
{
    _exit(EXIT_FAILURE);
}

void criterion_skip_test(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    _exit(SKIPPED);
}

void criterion_internal_test_setup(void)
{
}

void criterion_internal_test_main(void (*run)(void))
{
    run();
}

void criterion_internal_test_teardown(void)
{
}

static unsigned timeout_s(const struct criterion_test *test)
{
    const struct criterion_test_extra_data *suite = suite_data(test->category);
    double own = test->data->timeout;
    double given = own > 0 || suite == NULL ? own : suite->timeout;

    return (unsigned)(given > 0 ? given : TIMEOUT_S) * SLOWER;
}

/* In the child: the suite's fixture around the test's own around the test. Does not return. */
static void run_here(const struct criterion_test *test)
{
    const struct criterion_test_extra_data *suite = suite_data(test->category);
    void (*init[])(void) = {suite != NULL ? suite->init : NULL, test->data->init};
    void (*fini[])(void) = {test->data->fini, suite != NULL ? suite->fini : NULL};

    (void)alarm(timeout_s(test));
    for (size_t i = 0; i < 2; i++) {
        if (init[i] != NULL) {
            init[i]();
        }
    }
    test->test();
    for (size_t i = 0; i < 2; i++) {
        if (fini[i] != NULL) {
            fini[i]();
        }
    }
    (void)fflush(NULL);
    _exit(failed ? EXIT_FAILURE : test->data->exit_code);
}

/* Whether the child ended as the test says it should. */
static bool ended_well(const struct criterion_test *test, int status)
{
    if (test->data->signal != 0) {
        return WIFSIGNALED(status) && WTERMSIG(status) == test->data->signal;
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == test->data->exit_code;
}

static bool run_child(const struct criterion_test *test)
{
    int status = 0;
    pid_t child;
    bool well;
    bool skipped;

    (void)fflush(NULL);
    child = fork();
    if (child == 0) {
        run_here(test);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) {
        perror("plain_runner");
        return false;
    }
    skipped = WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED;
    well = skipped || ended_well(test, status);
    printf("%s - %s::%s%s\n", well ? "ok" : "not ok", test->category, test->name,
           skipped ? " # SKIP" : "");
    if (!well && WIFSIGNALED(status)) {
        printf("# ended by signal %d\n", WTERMSIG(status));
    }
    return well;
}

/* The pattern of --filter=PATTERN or --filter PATTERN; everything when there is none. */
static const char *filter(int argc, char **argv)
{
    const char *option = "--filter";
    size_t len = strlen(option);

    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], option, len) == 0) {
            return argv[i][len] == '=' ? argv[i] + len + 1 : i + 1 < argc ? argv[i + 1] : "";
        }
    }
    return "*";
}

static bool is_wanted(const struct criterion_test *test, const char *pattern)
{
    char name[NAME_LEN_MAX];

    (void)snprintf(name, sizeof(name), "%s/%s", test->category, test->name);
    return !test->data->disabled && fnmatch(pattern, name, 0) == 0;
}

int main(int argc, char **argv)
{
    const char *pattern = filter(argc, argv);
    size_t ran = 0;
    size_t bad = 0;

    for (struct criterion_test **test = &__start_cr_tst; test < &__stop_cr_tst; test++) {
        if (*test != NULL && is_wanted(*test, pattern)) {
            ran++;
            bad += !run_child(*test);
        }
    }
    printf("1..%zu\n", ran);
    return ran > 0 && bad == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
