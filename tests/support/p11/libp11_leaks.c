/* What LeakSanitizer is to overlook in a test that makes any call fail: libp11 0.4.12 forgets the memory of a slot that
 * it can't read. Only a worker that is about to end gets there. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_options(void);

const char *__lsan_default_suppressions(void)
{
    return "leak:libp11.so";
}

/* A report that says only this would be taken for a finding. */
const char *__lsan_default_options(void)
{
    return "print_suppressions=0";
}
