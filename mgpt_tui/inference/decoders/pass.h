/* A model, one pass of some rows (tokens) through it, and where a row stands. */

#ifndef PASS_H
#define PASS_H

#include <stddef.h>
#include <stdint.h>

#include "attention.h"
#include "products.h"

enum {
    TILE = 64, /* rows that use a weight while it is at hand */
    FEW = 4 /* rows of which a thread of its own is worth to read all weights */
};

struct norm {
    const float *weight, *bias; /* (C); bias may be NULL */
};

struct block {
    struct norm attention_norm;
    struct matrix qkv, attention_proj;
    struct norm mlp_norm;
    struct matrix fc, mlp_proj;
    int32_t window; /* tokens that one of them sees, itself included; 0: all before it */
};

struct model {
    int32_t n_layer, n_head, n_embd, neurons, block_size, vocab_size;
    int32_t scaled_scores, exact_gelu; /* 1 or 0 */
    float epsilon;
    const float *token_embedding, *position_embedding; /* (vocab_size, C), (S, C) */
    const struct block *blocks;                        /* (n_layer) */
    struct norm final_norm;
    struct matrix head;
};

struct look; /* see record.h */

/* One pass over at most TILE rows.

   A single row is shared by its outputs: every thread reads a part of the weights. Several rows are
   shared by rows: every thread reads all weights, and what it makes of its rows stays with it, but
   for the keys and values. So the threads meet once a layer. */
struct pass {
    const struct model *model;
    int32_t N, T, start, first, R, layer, group; /* N rows in all passes, B * T */
    const int64_t *tokens;
    uint16_t *cache;
    size_t layer_size;
    float *x, *y, *wide; /* (R, C), (R, C), (R, wide_stride) */
    size_t wide_stride;
    struct rows rows;
    const struct matrix *matrix;
    float *out;
    size_t out_stride;
    const struct look *look;
};

/* What is widest in a block: queries, keys and values, or the neurons. */
static inline int widest(int C, int F) { return F > 3 * C ? F : 3 * C; }

/* Where row `row` of a pass stands: in which sequence, and as which of its tokens. */
static inline void place(const struct pass *p, int row, int *b, int *t)
{
    *b = (p->first + row) / p->T;
    *t = p->start + (p->first + row) % p->T;
}

/* The cache of a head of a sequence: its keys, and its values. */
static inline void held(const struct pass *p, int b, int h, uint16_t **keys, uint16_t **values)
{
    const int D = p->model->n_embd / p->model->n_head, S = padded(p->model->block_size, KEYS);
    *keys = p->cache + p->layer * p->layer_size + (size_t)(b * p->model->n_head + h) * S * D;
    *values = *keys + p->layer_size / 2;
}

#endif
