/* Notes: lines a test wants seen though it passes, such as how much it looked at. Criterion silences
 * its tests while it writes TAP, so they go by way of a file that tests/criterion.sh shows. */
#ifndef KW_TESTS_SUPPORT_NOTE_H
#define KW_TESTS_SUPPORT_NOTE_H

/* One line, without its end. */
void test_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
