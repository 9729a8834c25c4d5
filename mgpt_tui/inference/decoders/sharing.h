/* Threads that share the parts of a job.

   `share` runs part(shared, 0) ... part(shared, parts - 1). The thread that calls it takes part
   after part, and so does every helper that is awake; nobody waits for a helper that has taken
   none. So a helper that the system does not let run, because something else keeps its core busy,
   costs nothing but its help. Waiting is bounded: a helper without work, or the caller while the
   last part is still with a helper, looks again and again for some microseconds, then sleeps. Where
   cores are busy helpers take more than they give, as they wait in the caller's place or are stopped
   in the midst of a part; so jobs of few rows are timed, and have helpers while that is faster.

   Parts are handed out by one number, changed by compare-and-swap:

       job << 40 | parts << 20 | next part

   Whoever has taken a part of a job finds what belongs to it in `pool`, as a job is replaced only
   when all of its parts are done. Without POSIX threads the caller does all the work. */

#include <stdint.h>

typedef void part_function(const void *shared, int part);

enum { MOST_PARTS = (1 << 20) - 1, MOST_HELPERS = 63 };

#if defined(_WIN32)

static void begin_sharing(int threads, int rows) { (void)threads, (void)rows; }
static void end_sharing(void) {}
static int sharing(void) { return 1; }
static void share(part_function *part, const void *shared, int parts)
{
    for (int i = 0; i < parts; i++)
        part(shared, i);
}

#else

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

enum {
    LOOKS = 10000,          /* before going to sleep: some 200 microseconds */
    TIMED = 16,             /* most rows of what is timed */
    SOON = 8, LATE = 512    /* times after which the other way is tried again */
};

/* How long it takes to read so many rows. */
struct pace {
    double seconds[2];      /* on the average of late, with helpers and alone; 0: not known */
    int32_t alone;          /* the faster of the two */
    int32_t left, interval; /* times until the other is tried, and until it is again */
};

static struct {
    _Atomic uint64_t next;
    _Atomic int32_t done;            /* parts of the present job */
    _Atomic int32_t helpers;         /* that may take parts now */
    _Atomic int8_t asleep[MOST_HELPERS]; /* helpers that have to be woken */
    _Atomic int32_t waits;           /* whether the caller has to be */
    part_function *part;
    const void *shared;
    uint64_t job;
    int32_t started;                 /* helpers that there are */
    struct pace paces[TIMED];
    struct pace *pace;               /* of what is being read; NULL where it is not timed */
    double began;
    int32_t alone, tried;            /* whether it is read without helpers, and just to see */
    pthread_mutex_t lock;            /* of going to sleep and being woken */
    pthread_cond_t work, finished;
    pthread_mutex_t owner;           /* one caller at a time has the helpers */
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER, .work = PTHREAD_COND_INITIALIZER,
          .finished = PTHREAD_COND_INITIALIZER, .owner = PTHREAD_MUTEX_INITIALIZER};

static _Thread_local int has_helpers;

static inline void look_again(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Take parts of whatever job there is until none is left; how many. */
static int take_parts(void)
{
    int taken = 0;
    uint64_t seen = atomic_load(&pool.next);
    for (;;) {
        const uint64_t part = seen & MOST_PARTS, parts = seen >> 20 & MOST_PARTS;
        if (part >= parts)
            return taken;
        if (!atomic_compare_exchange_weak(&pool.next, &seen, seen + 1))
            continue;
        pool.part(pool.shared, (int)part);
        taken++;
        if (atomic_fetch_add(&pool.done, 1) + 1 == (int32_t)parts && atomic_load(&pool.waits)) {
            pthread_mutex_lock(&pool.lock);
            pthread_cond_signal(&pool.finished);
            pthread_mutex_unlock(&pool.lock);
        }
        seen = atomic_load(&pool.next);
    }
}

static int is_wanted(int number)
{
    const uint64_t seen = atomic_load(&pool.next);
    return number < atomic_load(&pool.helpers) && (seen & MOST_PARTS) < (seen >> 20 & MOST_PARTS);
}

static void *help(void *argument)
{
    const int number = (int)(intptr_t)argument;
    for (;;) {
        int looks = 0;
        while (!is_wanted(number) && looks++ < LOOKS)
            look_again();
        if (!is_wanted(number)) {
            pthread_mutex_lock(&pool.lock);
            atomic_store(&pool.asleep[number], 1);
            while (!is_wanted(number))
                pthread_cond_wait(&pool.work, &pool.lock);
            atomic_store(&pool.asleep[number], 0);
            pthread_mutex_unlock(&pool.lock);
        }
        take_parts();
    }
    return NULL;
}

/* A forked child has no helpers. */
static void forget_helpers(void)
{
    const pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    const pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
    pool.lock = pool.owner = mutex;
    pool.work = pool.finished = cond;
    pool.started = 0;
    atomic_store(&pool.next, 0);
    atomic_store(&pool.waits, 0);
    atomic_store(&pool.helpers, 0);
    for (int i = 0; i < MOST_HELPERS; i++)
        atomic_store(&pool.asleep[i], 0);
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* Choose whether to have helpers this time: as is faster, and now and then the other way. */
static void begin_timing(struct pace *pace)
{
    pool.tried = pace->left-- <= 0;
    if (pool.tried) {
        pace->interval = pace->interval == 0 ? SOON : pace->interval < LATE ? 2 * pace->interval : LATE;
        pace->left = pace->interval;
    }
    pool.alone = pool.tried ? !pace->alone : pace->alone;
    pool.began = now();
}

static void end_timing(struct pace *pace)
{
    const double took = now() - pool.began;
    double *mean = pace->seconds + pool.alone;
    *mean += *mean == 0 ? took : (took - *mean) / (pool.tried ? 2 : 16);
    if (pace->seconds[0] == 0 || pace->seconds[1] == 0)
        return;
    const int alone = pace->seconds[1] < pace->seconds[0];
    if (alone != pace->alone) {
        pace->alone = alone;
        pace->left = pace->interval = SOON;
    }
}

/* From now on to `end_sharing`, jobs of this thread, which are to read so many rows, are shared by
   so many threads, itself among them. Where another one has the helpers, it works alone. */
static void begin_sharing(int threads, int rows)
{
    const int wanted = threads - 1 < MOST_HELPERS ? threads - 1 : MOST_HELPERS;
    if (wanted <= 0 || pthread_mutex_trylock(&pool.owner) != 0)
        return;
    static int watches_forks;
    if (!watches_forks)
        watches_forks = pthread_atfork(NULL, NULL, forget_helpers) == 0;
    while (pool.started < wanted) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, help, (void *)(intptr_t)pool.started) != 0)
            break;
        pthread_detach(thread);
        pool.started++;
    }
    pool.alone = 0;
    pool.pace = rows >= 1 && rows <= TIMED ? pool.paces + rows - 1 : NULL;
    if (pool.pace)
        begin_timing(pool.pace);
    if (!pool.alone)
        atomic_store(&pool.helpers, wanted < pool.started ? wanted : pool.started);
    has_helpers = 1;
}

static void end_sharing(void)
{
    if (!has_helpers)
        return;
    has_helpers = 0;
    atomic_store(&pool.helpers, 0);
    if (pool.pace)
        end_timing(pool.pace);
    pthread_mutex_unlock(&pool.owner);
}

/* How many threads may take parts now. */
static int sharing(void)
{
    return has_helpers && !pool.alone ? atomic_load(&pool.helpers) + 1 : 1;
}

static void wake_helpers(void)
{
    for (int i = 0; i < atomic_load(&pool.helpers); i++)
        if (atomic_load(&pool.asleep[i])) {
            pthread_mutex_lock(&pool.lock);
            pthread_cond_broadcast(&pool.work);
            pthread_mutex_unlock(&pool.lock);
            return;
        }
}

static void share(part_function *part, const void *shared, int parts)
{
    if (!has_helpers || pool.alone || parts == 1 || parts > MOST_PARTS) {
        for (int i = 0; i < parts; i++)
            part(shared, i);
        return;
    }
    pool.part = part;
    pool.shared = shared;
    atomic_store(&pool.done, 0);
    pool.job++;
    atomic_store(&pool.next, pool.job << 40 | (uint64_t)parts << 20);
    wake_helpers();
    take_parts();
    for (int looks = 0; atomic_load(&pool.done) < parts && looks < LOOKS; looks++)
        look_again();
    if (atomic_load(&pool.done) < parts) {
        pthread_mutex_lock(&pool.lock);
        atomic_store(&pool.waits, 1);
        while (atomic_load(&pool.done) < parts)
            pthread_cond_wait(&pool.finished, &pool.lock);
        atomic_store(&pool.waits, 0);
        pthread_mutex_unlock(&pool.lock);
    }
}

#endif
