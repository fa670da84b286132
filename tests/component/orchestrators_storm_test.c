/* A PostgreSQL server that does what servers do on a bad day, while three orchestrators work on it: whoever is refused
 * asks again, with the same request id, and in the end everything has happened once. F36 and F38 of docs/faults.md. */
#include "tests/component/instances_load.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <pthread.h>
#include <stdatomic.h>

#define CALM     20 /* acknowledged before the storm, and after it */
#define STORM    150
#define TRIES_OK 6 /* of a client for one effect */

static struct instances in;
static struct load load = {.in = &in};

static void up(void)
{
    instances_init(&in);
}

static void down(void)
{
    instances_done(&in);
}

TestSuite(instances_storm, .init = up, .fini = down, .timeout = 600);

/* One change in 25 fails as if others had been in its way: a deadlock, a serialization failure, a lock that lasts. */
static const char fail_some[] =
    "CREATE SEQUENCE changes MINVALUE 0;" /* of all instances; what is undone is counted, too */
    "CREATE FUNCTION storm() RETURNS trigger LANGUAGE plpgsql AS $$"
    " DECLARE number bigint := nextval('changes');"
    " BEGIN IF number % 25 = 24 THEN RAISE EXCEPTION 'storm' USING ERRCODE ="
    " (ARRAY['40001', '40P01', '55P03'])[(1 + number / 25 % 3)::int]; END IF; RETURN NEW; END $$;"
    "CREATE TRIGGER storm BEFORE INSERT ON feed_changes FOR EACH ROW EXECUTE FUNCTION storm()";

/* F36. An orchestrator tries a few times by itself; who is refused all the same asks again. */
Test(instances_storm, who_is_in_each_others_way_has_one_effect_in_a_bounded_number_of_tries)
{
    load_until_done(&load, CALM);
    (void)postgres_sql(in.url, fail_some);
    load_until_done(&load, STORM);
    cr_assert(lt(i64, STORM / 10, postgres_sql(in.url, "SELECT last_value / 25 FROM changes")),
              "there was no storm");
    cr_assert(lt(uint, load.most_tries, TRIES_OK), "%u tries", load.most_tries);
    (void)postgres_sql(in.url, "DROP FUNCTION storm() CASCADE");
    load_until_done(&load, CALM);
    load_stop(&load);
    load_verify(&load);
}

/* --- connections that are ended --- */

static atomic_bool ending;

/* As a pooler that restarts, or an operator who means it well. */
static void *end_connections(void *context)
{
    while (atomic_load(&ending)) {
        (void)postgres_sql(context, "SELECT pg_sleep(0.2)"); /* else nobody gets anything done */
        (void)postgres_sql(context, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                                    " WHERE application_name = 'keyward'");
    }
    return NULL;
}

/* F38: whether a change that was on its way has happened is unknown, and whoever asks again is told. */
Test(instances_storm, connections_that_are_ended_again_and_again_lose_and_double_nothing)
{
    pthread_t operator;

    load_until_done(&load, CALM);
    atomic_store(&ending, true);
    cr_assert(zero(int, pthread_create(&operator, NULL, end_connections, in.url)));
    load_until_done(&load, STORM);
    atomic_store(&ending, false);
    pthread_join(operator, NULL);
    cr_assert(lt(sz, 0, load.refused), "no connection was in use");
    load_until_done(&load, CALM);
    load_stop(&load);
    load_verify(&load);
}
