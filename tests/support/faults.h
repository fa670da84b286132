/* A walk through error paths: a test's request is asked again and again, each time with another place of the service
 * failing, until nothing new fails; the answer of the last time is the test's. So a test that passes as it does
 * without the walk has shown that a failed attempt is refused, leaks nothing and leaves no trace.
 *
 * Only under tests/fault_walk.sh, whose plan of places (common/base/fault.h) all tests of a binary share: each place
 * fails once in a run. */
#ifndef KW_TESTS_SUPPORT_FAULTS_H
#define KW_TESTS_SUPPORT_FAULTS_H

#include "common/base/fault.h"
#include "common/base/result.h"

/* Whether this run is a walk. */
bool faults_walked(void);

/* This test counts attempts: nothing fails in it. */
void faults_off(void);

/* The next place not yet failed will fail. Nothing when this is no walk. */
void faults_arm(void);

/* The same below `scope`, also when this is no walk or one that leaves it out: for a test that repeats its request
 * itself. */
void faults_arm_at(const char *scope);

/* Ends that; whether a place has failed since. */
bool faults_disarm(void);

/* Whether an attempt that ended so is to be made again: a place has failed since it was armed, and the attempt with it.
 * An attempt that a fault left without an answer fails the test. */
bool faults_again(enum kw_reason reason);

#endif
