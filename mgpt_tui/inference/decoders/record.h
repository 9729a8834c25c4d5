/* What is computed, kept and changed on its way: the hook of model/gpt.py, by the same names and
   numbers. Nothing of it costs more than a look at a pointer where nobody asks for it. */

#ifndef RECORD_H
#define RECORD_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "attention.h"
#include "pass.h"

enum station {
    STREAM, MEAN, RSTD, NEW_KEYS, NEW_VALUES, ATTENTION, GATHERED, NEURONS, ADDED, STATIONS
};

/* x := factor * x + vector, of some columns at a station, for the tokens `first` to `end` of every
   sequence; a factor of 0 is no product, so that the vector takes the place of x as it is. */
struct edit {
    int32_t station, number, begin, columns, first, end;
    float factor;
    const float *vector; /* (end - first, stride), a row for each token, or NULL */
    int32_t stride;      /* 0: one row serves all of them */
};

/* What somebody wants of a pass; N rows are read, in order of their sequences. */
struct look {
    /* (numbers, N, size) at every station, ATTENTION (n_layer, H, N, start + T); NULL: not kept */
    float *kept[STATIONS];
    const struct edit *edits; /* (n_edits), made in this order */
    int32_t n_edits;
    const int32_t *logit_rows; /* (n_logit_rows), ascending: whose logits are written; NULL: as if */
    int32_t n_logit_rows;      /* nobody looked */
    /* (N, C), the residual stream at a station where reading begins; NULL: with the tokens */
    const float *stream;
    int32_t station;
};

/* The station of the stream where reading begins. */
static inline int begins_at(const struct pass *p)
{
    return p->look == NULL || p->look->stream == NULL ? 0 : p->look->station;
}

/* The layer that is over there, or, before an MLP, the one in which it stands. */
static inline int layer_before(int station) { return (station + 1) / 2 - 1; }

struct statistics {
    float mean, rstd;
};

/* Of C numbers, their mean, and one by their standard deviation (NaN where it overflows). Never
   inlined, so that it is the same to the last bit wherever it is asked for. */
static __attribute__((noinline)) struct statistics statistics(
    const float *x, int C, float epsilon)
{
    float sum = 0, squares = 0;
#pragma omp simd reduction(+ : sum)
    for (int i = 0; i < C; i++)
        sum += x[i];
    const float mean = sum / C;
#pragma omp simd reduction(+ : squares)
    for (int i = 0; i < C; i++)
        squares += (x[i] - mean) * (x[i] - mean);
    return (struct statistics){mean, 1.0f / sqrtf(squares / C + epsilon) + 0.0f * squares};
}

/* Where a row is kept, or NULL. */
static inline float *kept_at(const struct pass *p, int station, int number, int row, int size)
{
    float *kept = p->look == NULL ? NULL : p->look->kept[station];
    return kept == NULL ? NULL : kept + ((size_t)number * p->N + p->first + row) * size;
}

/* Where the attention weights of a head and a row are kept, or NULL. */
static inline float *kept_attention(const struct pass *p, int h, int row)
{
    return kept_at(p, ATTENTION, p->layer * p->model->n_head + h, row, p->start + p->T);
}

/* Keep C numbers of a row at a station of this layer as the cache holds them. */
static inline void keep_rounded(const struct pass *p, int station, int row, const float *x)
{
    const int C = p->model->n_embd;
    float *kept = kept_at(p, station, p->layer, row, C);
    for (int i = 0; kept != NULL && i < C; i++)
        kept[i] = from_bfloat16(to_bfloat16(x[i]));
}

static void edited(const struct edit *edit, float *x, int t)
{
    if (t < edit->first || t >= edit->end)
        return;
    x += edit->begin;
    for (int i = 0; i < edit->columns; i++)
        x[i] = edit->factor == 0.0f ? 0.0f : edit->factor * x[i];
    if (edit->vector == NULL)
        return;
    const float *vector = edit->vector + (size_t)(t - edit->first) * edit->stride;
    if (edit->factor == 0.0f)
        memcpy(x, vector, edit->columns * sizeof *x);
    else
        for (int i = 0; i < edit->columns; i++)
            x[i] += vector[i];
}

/* Change and keep what rows `first` to `end` have at a station: x (end - first, size). */
static void visit(
    const struct pass *p, int station, int number, float *x, int size, int first, int end)
{
    const struct look *look = p->look;
    if (look == NULL)
        return;
    for (const struct edit *edit = look->edits; edit < look->edits + look->n_edits; edit++)
        if (edit->station == station && edit->number == number)
            for (int row = first, b, t; row < end; row++) {
                place(p, row, &b, &t);
                edited(edit, x + (size_t)(row - first) * size, t);
            }
    float *kept = kept_at(p, station, number, first, size);
    if (kept != NULL)
        memcpy(kept, x, (size_t)(end - first) * size * sizeof *x);
}

/* The same of the residual stream, with the statistics of the norm that reads it next. */
static void visit_stream(const struct pass *p, int number, int first, int end)
{
    const int C = p->model->n_embd;
    visit(p, STREAM, number, p->x + (size_t)first * C, C, first, end);
    float *mean = kept_at(p, MEAN, number, 0, 1), *rstd = kept_at(p, RSTD, number, 0, 1);
    if (mean == NULL && rstd == NULL)
        return;
    for (int row = first; row < end; row++) {
        const struct statistics of_row
            = statistics(p->x + (size_t)row * C, C, p->model->epsilon);
        if (mean != NULL)
            mean[row] = of_row.mean;
        if (rstd != NULL)
            rstd[row] = of_row.rstd;
    }
}

/* Whether somebody asks for the logits of a row, once `done` have been written. */
static inline int is_asked(const struct pass *p, int row, int done)
{
    const struct look *look = p->look;
    if (look == NULL || look->logit_rows == NULL)
        return (p->first + row) % p->T == p->T - 1;
    return done < look->n_logit_rows && look->logit_rows[done] == p->first + row;
}

#endif
