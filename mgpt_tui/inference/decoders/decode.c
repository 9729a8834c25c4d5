/* The forward pass of model/gpt.py for a few new tokens, in plain C.

   What differs from there: weights and the inputs of every product are 8-bit integers with a
   scale a row, keys and values are bfloat16, and tokens that were read before are looked up in
   the cache. The loops are written so that a compiler turns them into vector instructions by
   itself (-O3 -march=native), sums of floats where `omp simd` allows them another order;
   compiling.py compiles this file on the machine that it runs on.

   Every row (token) goes through the same instructions, whatever other rows there are and however
   many threads share the work (sharing.h), so all of it gives the same to the last bit. What
   differs with the number of rows is done in integers, which are exact.

   C  n_embd            H  n_head         D  head size, C / H     F  neurons of an MLP
   S  block_size        R  rows at once, at most TILE
*/

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "attention.h"
#include "choosing.h"
#include "pass.h"
#include "products.h"
#include "record.h"
#include "sharing.h"

/* Floats that `read_tokens` works in, for a width C and F neurons. */
size_t scratch_floats(int32_t C, int32_t F)
{
    return (size_t)TILE * (2 * C + widest(C, F) + (F > C ? F : C) / 4 + 1 + 2);
}

static void layer_norm(const struct norm *norm, const float *x, float *out, int C, float epsilon)
{
    const struct statistics of_x = statistics(x, C, epsilon);
    for (int i = 0; i < C; i++)
        out[i] = (x[i] - of_x.mean) * of_x.rstd * norm->weight[i];
    if (norm->bias)
        for (int i = 0; i < C; i++)
            out[i] += norm->bias[i];
}

/* What rows hold times the weights of panels `begin` to `until`. */
static void product_of(
    const struct pass *p, const struct matrix *matrix, int first, int end, float *out,
    size_t stride, int begin, int until)
{
    const int tiled = begin_tiles(end - first, matrix->inputs);
    for (int panel = begin; panel < until; panel += 2)
        product_panels(matrix, &p->rows, first, end, out, stride, panel,
                       until - panel < 2 ? 1 : 2, tiled);
    if (tiled)
        end_tiles();
}

static void multiplied(const void *shared, int part)
{
    const struct pass *p = shared;
    const int panels = padded(p->matrix->outputs, LANES) / LANES, begin = part * p->group;
    const int until = begin + p->group < panels ? begin + p->group : panels;
    product_of(p, p->matrix, 0, p->R, p->out, p->out_stride, begin, until);
}

/* out (R, stride) = what the rows hold times the weights. */
static void product(
    const struct pass *p, const struct matrix *matrix, int first, int end, float *out,
    size_t stride)
{
    const int panels = padded(matrix->outputs, LANES) / LANES;
    if (first == 0 && end == p->R) { /* no other thread has rows */
        struct pass job = *p;
        job.matrix = matrix;
        job.out = out;
        job.out_stride = stride;
        const int parts = 2 * sharing(); /* more cost more to hand out than they even out */
        job.group = padded((panels + parts - 1) / parts, 2);
        share(multiplied, &job, (panels + job.group - 1) / job.group);
    } else
        product_of(p, matrix, first, end, out, stride, 0, panels);
}

/* Norm rows of `x` and round them. */
static void normed(const struct pass *p, const struct norm *norm, int first, int end)
{
    const int C = p->model->n_embd;
    float line[C];
    for (int row = first; row < end; row++) {
        layer_norm(norm, p->x + (size_t)row * C, line, C, p->model->epsilon);
        rounded(line, &p->rows, row, C);
    }
}

/* Queries, keys and values of rows in `wide`, (3, H, D) each; the cache takes keys and values. */
static void prepared(const struct pass *p, int first, int end)
{
    const int C = p->model->n_embd, H = p->model->n_head, D = C / H;
    const struct block *block = p->model->blocks + p->layer;
    normed(p, &block->attention_norm, first, end);
    product(p, &block->qkv, first, end, p->wide, p->wide_stride);
    for (int row = first, b, t; row < end; row++) {
        const float *wide = p->wide + row * p->wide_stride;
        place(p, row, &b, &t);
        for (int h = 0; h < H; h++) {
            uint16_t *keys, *values;
            held(p, b, h, &keys, &values);
            remember(wide + h * D, C, D, t, keys, values);
        }
        keep_rounded(p, NEW_KEYS, row, wide + C);
        keep_rounded(p, NEW_VALUES, row, wide + 2 * C);
    }
}

/* What one head gathers for rows, four at a time where they are of one sequence. */
static void attended(const struct pass *p, int h, int first, int end)
{
    const int C = p->model->n_embd, D = C / p->model->n_head;
    const int window = p->model->blocks[p->layer].window;
    const float factor = p->model->scaled_scores ? 1.0f / sqrtf((float)D) : 1.0f;
    for (int row = first, step; row < end; row += step) {
        int b, t, last, ignored;
        uint16_t *keys, *values;
        place(p, row, &b, &t);
        place(p, row + 3, &last, &ignored);
        held(p, b, h, &keys, &values);
        const size_t stride = p->wide_stride;
        const float *q = p->wide + row * stride + h * D;
        float *out = p->y + (size_t)row * C + h * D, *kept = kept_attention(p, h, row);
        const int seen = p->start + p->T;
        step = row + 4 <= end && b == last ? 4 : 1;
        if (step == 4 && D == 64) /* the usual size, known to the compiler */
            attention(q, stride, keys, values, t + 1, window, factor, 64, 4, out, C, kept, seen);
        else if (step == 4)
            attention(q, stride, keys, values, t + 1, window, factor, D, 4, out, C, kept, seen);
        else if (D == 64)
            attention(q, stride, keys, values, t + 1, window, factor, 64, 1, out, C, kept, seen);
        else
            attention(q, stride, keys, values, t + 1, window, factor, D, 1, out, C, kept, seen);
    }
}

static void attended_head(const void *shared, int h)
{
    const struct pass *p = shared;
    attended(p, h, 0, p->R);
}

/* Add to the stream what a part has left in `y`. */
static void added(const struct pass *p, int part, int first, int end)
{
    const int C = p->model->n_embd;
    visit(p, ADDED, part, p->y + (size_t)first * C, C, first, end);
    for (size_t i = (size_t)first * C; i < (size_t)end * C; i++)
        p->x[i] += p->y[i];
    visit_stream(p, part + 1, first, end);
}

/* What attention adds to rows, once all keys and values are there. */
static void attention_part(const struct pass *p, int first, int end)
{
    const int C = p->model->n_embd, H = p->model->n_head;
    if (first == 0 && end == p->R)
        share(attended_head, p, H);
    else
        for (int h = 0; h < H; h++)
            attended(p, h, first, end);
    visit(p, GATHERED, p->layer, p->y + (size_t)first * C, C, first, end);
    for (int row = first; row < end; row++)
        rounded(p->y + (size_t)row * C, &p->rows, row, C);
    product(p, &p->model->blocks[p->layer].attention_proj, first, end, p->y, C);
    added(p, 2 * p->layer, first, end);
}

/* What the MLP adds. */
static void mlp_part(const struct pass *p, int first, int end)
{
    const int C = p->model->n_embd, F = p->model->neurons;
    const struct block *block = p->model->blocks + p->layer;
    normed(p, &block->mlp_norm, first, end);
    product(p, &block->fc, first, end, p->wide, p->wide_stride);
    for (int row = first; row < end; row++) {
        float *neurons = p->wide + row * p->wide_stride;
        if (p->model->exact_gelu)
            for (int i = 0; i < F; i++)
                neurons[i] = exact_gelu(neurons[i]);
        else
            for (int i = 0; i < F; i++)
                neurons[i] = gelu(neurons[i]);
        visit(p, NEURONS, p->layer, neurons, F, row, row + 1);
        rounded(neurons, &p->rows, row, F);
    }
    product(p, &block->mlp_proj, first, end, p->y, C);
    added(p, 2 * p->layer + 1, first, end);
}

/* The stream of rows where reading begins: the embedding sum, or what somebody puts there. */
static void begun(const struct pass *p, int first, int end)
{
    const struct model *model = p->model;
    const int C = model->n_embd;
    const float *given = p->look == NULL ? NULL : p->look->stream;
    for (int row = first, b, t; row < end; row++) {
        float *x = p->x + (size_t)row * C;
        place(p, row, &b, &t);
        const float *token = model->token_embedding + (size_t)p->tokens[p->first + row] * C;
        const float *position = model->position_embedding + (size_t)t * C;
        if (given != NULL)
            memcpy(x, given + (size_t)(p->first + row) * C, C * sizeof *x);
        else
            for (int i = 0; i < C; i++)
                x[i] = token[i] + position[i];
    }
    visit_stream(p, begins_at(p), first, end);
}

/* Begin with a group of rows, or take them through a layer; then prepare them for the next one. */
static void advanced_group(const void *shared, int part)
{
    struct pass pass = *(const struct pass *)shared, *p = &pass;
    const int first = part * p->group, station = begins_at(p);
    const int end = first + p->group < p->R ? first + p->group : p->R;
    const int begins = p->layer == layer_before(station);
    if (begins)
        begun(p, first, end);
    else
        attention_part(p, first, end);
    if (!begins || station % 2) /* every other station stands before an MLP */
        mlp_part(p, first, end);
    p->layer++;
    if (p->layer < p->model->n_layer)
        prepared(p, first, end);
}

/* Read T tokens of each of B sequences after the `start` tokens that the cache holds of each.

   tokens   (B, T)
   cache    (n_layer, 2, B, H, S * D), bfloat16, with S the block size padded to KEYS: keys
            (S / KEYS, D, KEYS) and values (S, D); the new ones are written to it
   scratch  what `scratch_floats` tells
   logits   (B, vocab_size): written, the scores of what follows the last token of each sequence;
            NULL where nobody asks for them
   look     what to keep and to change on the way, and which logits; NULL for nothing of it
   threads  that share the work

   Returns 1, or 0 and does nothing where there are no such tokens or no room for them. */
int32_t read_tokens(
    const struct model *model, const int64_t *tokens, int32_t B, int32_t T, int32_t start,
    uint16_t *cache, float *scratch, float *logits, const struct look *look, int32_t threads)
{
    const int C = model->n_embd, F = model->neurons;
    if (start < 0 || start + T > model->block_size)
        return 0;
    for (int i = 0; i < B * T; i++)
        if (tokens[i] < 0 || tokens[i] >= model->vocab_size)
            return 0;
    struct pass pass = {
        .model = model, .N = B * T, .T = T, .start = start, .tokens = tokens, .cache = cache,
        .look = look,
        .layer_size = (size_t)2 * B * padded(model->block_size, KEYS) * C,
    }, *p = &pass;
    p->x = scratch;
    p->y = p->x + (size_t)TILE * C;
    p->wide = p->y + (size_t)TILE * C;
    p->wide_stride = widest(C, F);
    p->rows.scale = p->wide + TILE * p->wide_stride;
    p->rows.excess = (int32_t *)(p->rows.scale + TILE);
    p->rows.integers = (int8_t *)(p->rows.excess + TILE);
    p->rows.stride = padded(F > C ? F : C, 4);
    int done = 0; /* rows of logits */
    begin_sharing(threads, B * T);
    for (p->first = 0; p->first < B * T; p->first += TILE) {
        p->R = B * T - p->first < TILE ? B * T - p->first : TILE;
        const int share_of_one = (p->R + threads - 1) / threads;
        p->group = p->R < 2 * FEW ? p->R : share_of_one < FEW ? FEW : share_of_one;
        for (p->layer = layer_before(begins_at(p)); p->layer < model->n_layer; p->layer++)
            share(advanced_group, p, (p->R + p->group - 1) / p->group);
        if (logits == NULL)
            continue;
        int asked = 0; /* rows whose logits are */
        for (int row = 0; row < p->R; row++)
            if (is_asked(p, row, done + asked))
                memmove(p->x + (size_t)C * asked++, p->x + (size_t)C * row, C * sizeof *p->x);
        p->R = asked;
        normed(p, &model->final_norm, 0, asked);
        product(p, &model->head, 0, asked, logits + (size_t)done * model->vocab_size,
                model->vocab_size);
        done += asked;
    }
    end_sharing();
    return 1;
}

/* What compiled this: texts may differ where something else does. */
const char *compiler(void)
{
#if defined(MADE_FOR) /* beforehand, see ready_made.py */
    return MADE_FOR ", " __VERSION__;
#elif defined(__clang__)
    return __VERSION__;
#else
    return "gcc " __VERSION__;
#endif
}

/* Whether products of so many inputs come out right. */
static int multiplies(const int N)
{
    enum { MOST = 128, OUTPUTS = 53, ROWS = 39 };
    static int8_t weight[OUTPUTS * MOST], integers[ROWS * MOST];
    static uint8_t panels[64 * MOST];
    static float scale[ROWS], ones[64], out[ROWS * OUTPUTS];
    static int32_t excess[ROWS];
    for (int i = 0; i < OUTPUTS * N; i++)
        weight[i] = (int8_t)(i * 37 % 255 - 127);
    for (int output = 0; output < OUTPUTS; output++)
        ones[output] = 1.0f;
    for (int row = 0; row < ROWS; row++) {
        scale[row] = 1.0f;
        excess[row] = 0;
        for (int i = 0; i < MOST; i++) {
            integers[row * MOST + i] = i < N ? (int8_t)((i + row) * 53 % 255 - 127) : 0;
            excess[row] += EXCESS * integers[row * MOST + i];
        }
    }
    if (packed_size(OUTPUTS, N) > sizeof panels)
        return 0;
    pack(weight, OUTPUTS, N, panels);
    const struct matrix m = {panels, ones, NULL, OUTPUTS, N};
    struct pass pass = {.R = ROWS, .rows = {integers, MOST, scale, excess}};
    begin_sharing(2, ROWS);
    product(&pass, &m, 0, ROWS, out, OUTPUTS);
    end_sharing();
    for (int row = 0; row < ROWS; row++)
        for (int output = 0; output < OUTPUTS; output++) {
            int32_t expected = 0;
            for (int i = 0; i < N; i++)
                expected += integers[row * MOST + i] * weight[output * N + i];
            if (out[row * OUTPUTS + output] != (float)expected)
                return 0;
        }
    return 1;
}

/* Whether this was compiled for the processor that runs it: 1, or 0 where sums come out wrong
   (or no answer at all, where it has instructions that the processor lacks). */
int32_t works(void)
{
    return multiplies(102) && multiplies(128)
        && fabsf(exponential(-72.0f) / 5.38018616e-32f - 1.0f) < 1e-6f;
}
