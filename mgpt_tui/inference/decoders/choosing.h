/* What a token is drawn from: the largest of many scores, and how likely they are, as sampling.py
   has it. */

#ifndef CHOOSING_H
#define CHOOSING_H

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

enum {
    MOST_KEPT = 256,         /* scores that can be asked for */
    ROOM = 8 * MOST_KEPT,    /* for those that may be among them */
    LEAST_COLUMNS = 256,
    AT_ONCE = 32             /* scores that are looked at together: few of them are large */
};

/* The k-th largest of n numbers, which are not in their order afterwards (Hoare 1961, "Find"). */
static float kth_largest(float *x, int n, int k)
{
    int low = 0, high = n - 1;
    const int at = k - 1;
    while (low < high) {
        const float pivot = x[at];
        int i = low, j = high;
        while (i <= j) {
            while (x[i] > pivot)
                i++;
            while (x[j] < pivot)
                j--;
            if (i <= j) {
                const float other = x[i];
                x[i++] = x[j];
                x[j--] = other;
            }
        }
        if (j < at)
            low = i;
        if (i > at)
            high = j;
    }
    return x[at];
}

/* A number that at least k of the scores reach, and few more do. The scores are laid out in
   columns; the k largest of the columns' maxima are k scores, so all of the k largest reach the
   smallest of them. */
static float reached_by(const float *scores, int n, int k)
{
    float maxima[4 * MOST_KEPT > LEAST_COLUMNS ? 4 * MOST_KEPT : LEAST_COLUMNS];
    const int columns = 4 * k > LEAST_COLUMNS ? 4 * k : LEAST_COLUMNS;
    if (n < 2 * columns)
        return -FLT_MAX;
    memcpy(maxima, scores, columns * sizeof *maxima);
    for (int row = columns; row + columns <= n; row += columns)
        for (int i = 0; i < columns; i++)
            maxima[i] = scores[row + i] > maxima[i] ? scores[row + i] : maxima[i];
    const float least = kth_largest(maxima, columns, k);
    return least > -FLT_MAX ? least : -FLT_MAX;
}

static inline int any_reaches(const float *scores, float enough)
{
    int reach = 0;
    for (int i = 0; i < AT_ONCE; i++)
        reach |= scores[i] >= enough;
    return reach;
}

/* The k largest of n scores, in their order: which they are, and how large. Of equal ones the first
   are taken, and none that is -infinity or no number.

   Returns how many there are, or -1 where k, or what may be among them, is too many for this. */
int32_t largest(const float *scores, int32_t n, int32_t k, int64_t *tokens, double *found)
{
    int32_t places[ROOM];
    float reaching[ROOM];
    int many = 0, kept = 0;
    if (k < 1 || k > MOST_KEPT)
        return -1;
    const float enough = reached_by(scores, n, k);
    for (int first = 0; first < n; first += AT_ONCE) {
        if (first + AT_ONCE <= n && !any_reaches(scores + first, enough))
            continue;
        if (many + AT_ONCE > ROOM)
            return -1;
        for (int i = first; i < n && i < first + AT_ONCE; i++)
            if (scores[i] >= enough)
                places[many++] = i;
    }
    for (int i = 0; i < many; i++)
        reaching[i] = scores[places[i]];
    const float least = many > k ? kth_largest(reaching, many, k) : -FLT_MAX;
    int equal = many > k ? k : many; /* how many of those that equal the least are taken */
    for (int i = 0; i < many; i++)
        equal -= scores[places[i]] > least;
    for (int i = 0; i < many; i++) {
        const float score = scores[places[i]];
        if (score > least || (score == least && equal-- > 0)) {
            tokens[kept] = places[i];
            found[kept++] = score;
        }
    }
    return kept;
}

/* Scores that are changed before anything is chosen, and are put back afterwards. */
struct changes {
    const int64_t *biased;  /* (biases) tokens, which get these numbers added to their scores */
    const float *bias;
    const int64_t *others;  /* (unlikely) tokens, which get all the same one */
    float added;
    int32_t biases, unlikely;
};

/* Whether none of the scores is NaN or infinite, but for -infinity: by their bits, which are in the
   order of what they stand for. */
static int are_numbers(const float *scores, int32_t n)
{
    int32_t most = 0;           /* of those with the sign bit clear */
    uint32_t most_of_all = 0;   /* of those with it set, where there are any */
    for (int i = 0; i < n; i++) {
        int32_t bits;
        memcpy(&bits, scores + i, sizeof bits);
        most = bits > most ? bits : most;
        most_of_all = (uint32_t)bits > most_of_all ? (uint32_t)bits : most_of_all;
    }
    return most < 0x7f800000 && most_of_all <= 0xff800000;
}

/* What biases, top-k and a temperature leave of n scores, in the order of the tokens: which they
   are, their scores, of which the largest is 0, and their probabilities.

   scores  (n): changed, and put back, with `before`, which has room for as many as are changed

   Returns how many there are, -1 where this cannot tell, -2 where a score is no number. */
int32_t left_of(
    float *scores, int32_t n, const struct changes *changes, float *before, int32_t k,
    double temperature, int64_t *tokens, double *logits, double *shares)
{
    const int64_t *biased = changes->biased, *others = changes->others;
    const int biases = changes->biases, unlikely = changes->unlikely;
    if (!are_numbers(scores, n))
        return -2;
    for (int i = 0; i < biases; i++) {
        before[i] = scores[biased[i]];
        scores[biased[i]] += changes->bias[i];
    }
    for (int i = 0; i < unlikely; i++) {
        before[biases + i] = scores[others[i]];
        scores[others[i]] += changes->added;
    }
    const int kept = largest(scores, n, k, tokens, logits);
    for (int i = unlikely; i-- > 0;)
        scores[others[i]] = before[biases + i];
    for (int i = biases; i-- > 0;)
        scores[biased[i]] = before[i];
    double most = -INFINITY, sum = 0;
    for (int i = 0; i < kept; i++)
        most = logits[i] > most ? logits[i] : most;
    for (int i = 0; i < kept; i++) {
        logits[i] = (logits[i] - most) / temperature;
        sum += shares[i] = exp(logits[i]);
    }
    for (int i = 0; i < kept; i++)
        shares[i] /= sum;
    return kept;
}

/* Which of some shares of [0, 1) holds a number, as `draw` in sampling.py finds it. */
int32_t drawn(const double *shares, int32_t many, double uniform)
{
    double total = 0, below = 0;
    int i = 0;
    for (int share = 0; share < many; share++)
        total += shares[share];
    while (i < many && (below += shares[i]) <= uniform * total)
        i++;
    if (i == many) /* uniform * total was rounded up to total */
        for (i = 0, below = shares[0]; below < total; below += shares[++i])
            ;
    return i;
}

#endif
