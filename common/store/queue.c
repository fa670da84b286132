/* The queue between the loop thread and the store's threads: a linked list under one mutex. */
#include "common/base/metrics.h"
#include "common/store/store_internal.h"

void kw_job_queue_init(struct kw_job_queue *queue, const char *name)
{
    *queue = (struct kw_job_queue){.name = name};
    (void)pthread_mutex_init(&queue->mutex, NULL);
    (void)pthread_cond_init(&queue->wake, NULL);
    queue->end = &queue->first;
}

void kw_job_queue_done(struct kw_job_queue *queue)
{
    (void)pthread_cond_destroy(&queue->wake);
    (void)pthread_mutex_destroy(&queue->mutex);
}

struct kw_result kw_job_queue_push(struct kw_job_queue *queue, struct kw_store_job *job,
                                   struct kw_error *err)
{
    bool full;

    job->next = NULL;
    pthread_mutex_lock(&queue->mutex);
    full = queue->count >= KW_STORE_JOBS_MAX;
    if (!full) {
        *queue->end = job;
        queue->end = &job->next;
        queue->count++;
        kw_metric_set(KW_M_QUEUE, queue->name, (int64_t)queue->count);
    }
    pthread_mutex_unlock(&queue->mutex);
    KW_ENSURE(!full, err, LIMIT_REACHED, "%d jobs wait for the store", KW_STORE_JOBS_MAX);
    return KW_OK;
}

/* Without the mutex, which the woken thread wants at once: holding it costs two context switches.
 * The jobs were put in under it, so whoever is about to wait has seen them. */
void kw_job_queue_wake(struct kw_job_queue *queue)
{
    pthread_cond_signal(&queue->wake);
}

void kw_job_queue_close(struct kw_job_queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    queue->closing = true;
    pthread_cond_broadcast(&queue->wake);
    pthread_mutex_unlock(&queue->mutex);
}

/* Cuts up to `max` jobs off the front. The queue is locked. */
static struct kw_store_job *cut_front(struct kw_job_queue *queue, size_t max)
{
    struct kw_store_job *front = queue->first;
    struct kw_store_job **link = &queue->first;

    for (size_t taken = 0; taken < max && *link != NULL; taken++) {
        link = &(*link)->next;
        queue->count--;
    }
    queue->first = *link;
    *link = NULL;
    if (queue->first == NULL) {
        queue->end = &queue->first;
    }
    return front;
}

struct kw_store_job *kw_job_queue_take(struct kw_job_queue *queue, size_t max)
{
    struct kw_store_job *front;

    pthread_mutex_lock(&queue->mutex);
    while (queue->first == NULL && !queue->closing) {
        pthread_cond_wait(&queue->wake, &queue->mutex);
    }
    front = cut_front(queue, max);
    kw_metric_set(KW_M_QUEUE, queue->name, (int64_t)queue->count);
    pthread_mutex_unlock(&queue->mutex);
    return front;
}

size_t kw_job_queue_count(struct kw_job_queue *queue)
{
    size_t count;

    pthread_mutex_lock(&queue->mutex);
    count = queue->count;
    pthread_mutex_unlock(&queue->mutex);
    return count;
}
