/* The pool: one queue, one lock that protects it, and threads that take the oldest job. */
#include "common/loop/pool.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define THREAD_NAME_SIZE 16 /* the kernel's limit, with NUL */

struct kw_pool {
    struct kw_loop *loop;
    pthread_mutex_t lock; /* protects all but loop, threads and thread_count */
    pthread_cond_t work;
    struct kw_job *head;
    struct kw_job **tail;
    size_t queue_len;
    size_t queue_len_max;
    bool ending;
    char name[THREAD_NAME_SIZE];
    unsigned thread_count;
    pthread_t threads[];
};

/* The oldest job, or NULL when the queue is empty and the pool ends. Blocks. */
static struct kw_job *take(struct kw_pool *pool)
{
    struct kw_job *job;

    (void)pthread_mutex_lock(&pool->lock);
    while (pool->head == NULL && !pool->ending) {
        (void)pthread_cond_wait(&pool->work, &pool->lock);
    }
    job = pool->head;
    if (job != NULL) {
        pool->head = job->next;
        pool->queue_len--;
    }
    if (pool->head == NULL) {
        pool->tail = &pool->head;
    }
    (void)pthread_mutex_unlock(&pool->lock);
    return job;
}

static void *pool_thread(void *context)
{
    struct kw_pool *pool = context;
    struct kw_job *job;

    (void)pthread_setname_np(pthread_self(), pool->name);
    while ((job = take(pool)) != NULL) {
        job->result = job->run(job, &job->error);
        kw_loop_post(pool->loop, &job->mail); /* from here on the job is the loop thread's */
    }
    return NULL;
}

static void deliver_job(struct kw_mail *mail)
{
    struct kw_job *job = (struct kw_job *)((char *)mail - offsetof(struct kw_job, mail));

    job->done(job);
}

static struct kw_result threads_start(struct kw_pool *pool, unsigned threads, struct kw_error *err)
{
    for (unsigned i = 0; i < threads; i++) {
        int rc = pthread_create(&pool->threads[i], NULL, pool_thread, pool);

        KW_ENSURE(rc == 0, err, SYSTEM, "pthread_create: %s", strerror(rc));
        pool->thread_count++;
    }
    return KW_OK;
}

struct kw_result kw_pool_new(struct kw_loop *loop, const char *name, unsigned threads,
                             size_t queue_len_max, struct kw_pool **ret_pool, struct kw_error *err)
{
    struct kw_pool *pool = calloc(1, sizeof(*pool) + threads * sizeof(pool->threads[0]));
    struct kw_result started;

    KW_ENSURE(pool != NULL, err, MEMORY, "pool %s", name);
    pool->loop = loop;
    pool->tail = &pool->head;
    pool->queue_len_max = queue_len_max;
    (void)snprintf(pool->name, sizeof(pool->name), "%s", name);
    (void)pthread_mutex_init(&pool->lock, NULL);
    (void)pthread_cond_init(&pool->work, NULL);
    started = threads_start(pool, threads, err);
    if (!kw_ok(started)) {
        kw_pool_free(pool);
        return started;
    }
    *ret_pool = pool;
    return KW_OK;
}

struct kw_result kw_pool_submit(struct kw_pool *pool, struct kw_job *job, struct kw_error *err)
{
    bool taken = false;

    job->mail.deliver = deliver_job;
    job->next = NULL;
    (void)pthread_mutex_lock(&pool->lock);
    if (pool->queue_len < pool->queue_len_max) {
        *pool->tail = job;
        pool->tail = &job->next;
        pool->queue_len++;
        taken = true;
        (void)pthread_cond_signal(&pool->work);
    }
    (void)pthread_mutex_unlock(&pool->lock);
    KW_ENSURE(taken, err, LIMIT_REACHED, "pool %s: %zu jobs wait", pool->name, pool->queue_len_max);
    return KW_OK;
}

void kw_pool_free(struct kw_pool *pool)
{
    if (pool == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&pool->lock);
    pool->ending = true;
    (void)pthread_cond_broadcast(&pool->work);
    (void)pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->thread_count; i++) {
        (void)pthread_join(pool->threads[i], NULL);
    }
    (void)pthread_cond_destroy(&pool->work);
    (void)pthread_mutex_destroy(&pool->lock);
    free(pool);
}
