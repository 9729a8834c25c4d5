/* The forward pass of model/gpt.py for a few new tokens, in plain C.

   What differs from there: weights and the inputs of every product are 8-bit integers with a
   scale a row, keys and values are bfloat16, and tokens that were read before are looked up in
   the cache. The loops are written so that a compiler turns them into vector instructions by
   itself (-O3 -march=native), sums of floats where `omp simd` allows them another order;
   compiling.py compiles this file on the machine that it runs on.

   Every row (token) goes through the same instructions, whatever other rows there are and however
   many threads share the work, so all of it gives the same to the last bit. What differs with the
   number of rows is done in integers, which are exact.

   C  n_embd            H  n_head         D  head size, C / H
   S  block_size        R  rows at once, at most TILE
*/

#include <math.h>
#include <stddef.h>
#include <stdint.h>

enum { TILE = 16 };

struct norm {
    const float *weight, *bias; /* (C); bias may be NULL */
};

struct matrix {
    const int8_t *weight;     /* (outputs, inputs) */
    const float *scale;       /* (outputs) */
    const int32_t *shift;     /* (outputs): 128 * the sum of the row's integers, see `product` */
    const float *bias;        /* (outputs) or NULL */
    int32_t outputs, inputs;
};

struct block {
    struct norm attention_norm;
    struct matrix qkv, attention_proj;
    struct norm mlp_norm;
    struct matrix fc, mlp_proj;
};

struct model {
    int32_t n_layer, n_head, n_embd, block_size, vocab_size;
    const float *token_embedding, *position_embedding; /* (vocab_size, C), (S, C) */
    const struct block *blocks;                        /* (n_layer) */
    struct norm final_norm;
    struct matrix head;
};

/* Floats that `read_tokens` works in, for a width C. */
size_t scratch_floats(int32_t C) { return (size_t)TILE * 6 * C; }

static inline float from_bfloat16(uint16_t bits)
{
    union { uint32_t bits; float value; } both = {(uint32_t)bits << 16};
    return both.value;
}

/* Round to nearest, ties to even. */
static inline uint16_t to_bfloat16(float value)
{
    union { float value; uint32_t bits; } both = {value};
    return (uint16_t)((both.bits + 0x7fff + ((both.bits >> 16) & 1)) >> 16);
}

/* e^x to within 2 units in the last place: 2^n * e^r with |r| <= ln(2) / 2, e^r by the
   polynomial of Cephes (Moshier 1989). The library's own is not vectorized. */
static inline float exponential(float x)
{
    x = x < -87.0f ? -87.0f : x > 88.0f ? 88.0f : x;
    float n = floorf(x * 1.44269504f + 0.5f);
    float r = x - n * 0.693359375f + n * 2.12194440e-4f; /* ln(2), in two parts */
    float sum = 1.9875691500e-4f;
    sum = sum * r + 1.3981999507e-3f;
    sum = sum * r + 8.3334519073e-3f;
    sum = sum * r + 4.1665795894e-2f;
    sum = sum * r + 1.6666665459e-1f;
    sum = sum * r + 5.0000001201e-1f;
    union { uint32_t bits; float value; } power = {(uint32_t)((int32_t)n + 127) << 23};
    return (sum * r * r + r + 1.0f) * power.value;
}

/* 0.5 x (1 + tanh(u)) with u = sqrt(2 / pi) (x + 0.044715 x^3), which is x / (1 + e^-2u). */
static inline float gelu(float x)
{
    return x / (1.0f + exponential(-1.5957691216f * (x + 0.044715f * x * x * x)));
}

static void layer_norm(const struct norm *norm, const float *x, float *out, int C)
{
    float sum = 0, squares = 0;
#pragma omp simd reduction(+ : sum)
    for (int i = 0; i < C; i++)
        sum += x[i];
    float mean = sum / C;
#pragma omp simd reduction(+ : squares)
    for (int i = 0; i < C; i++)
        squares += (x[i] - mean) * (x[i] - mean);
    float factor = 1.0f / sqrtf(squares / C + 1e-5f) + 0.0f * squares; /* NaN on overflow, not 0 */
    for (int i = 0; i < C; i++)
        out[i] = (x[i] - mean) * factor * norm->weight[i];
    if (norm->bias)
        for (int i = 0; i < C; i++)
            out[i] += norm->bias[i];
}

/* Round a row to integers from 1 to 255, 128 standing for 0; returns their scale, which is NaN
   where a number of the row is none or infinite: so that shows in the scores. */
static float rounded(const float *x, uint8_t *out, int n)
{
    uint32_t most = 0; /* bits of the largest size: they are in the order of what they stand for */
    for (int i = 0; i < n; i++) {
        union { float value; uint32_t bits; } both = {x[i]};
        const uint32_t size = both.bits & 0x7fffffff;
        most = size > most ? size : most;
    }
    const union { uint32_t bits; float value; } both = {most};
    const float largest = both.value < 1e-12f ? 1e-12f : both.value, factor = 127.0f / largest;
    for (int i = 0; i < n; i++)
        out[i] = (uint8_t)(int32_t)(x[i] * factor + 128.5f);
    return isfinite(largest) ? largest / 127.0f : NAN;
}

/* out (R, outputs) = x (R, inputs) times the weights, or += where `add`; threads share the outputs.

   Processors multiply unsigned by signed 8-bit integers, so x is 128 too large, and `shift` is
   taken off the sum, which fits 32 bits up to 66,000 inputs. Four rows at a time use a weight while
   it is at hand. */
static void product(
    const struct matrix *m, const uint8_t *x, const float *scale, int R, int add, float *out)
{
    const int n = m->inputs, outputs = m->outputs;
#pragma omp for schedule(static)
    for (int output = 0; output < outputs; output++) {
        const int8_t *w = m->weight + (size_t)output * n;
        int32_t sums[TILE];
        int row = 0;
        for (; row + 4 <= R; row += 4) {
            const uint8_t *a = x + (size_t)row * n, *b = a + n, *c = b + n, *d = c + n;
            int32_t sum_a = 0, sum_b = 0, sum_c = 0, sum_d = 0;
            for (int i = 0; i < n; i++) {
                sum_a += a[i] * w[i];
                sum_b += b[i] * w[i];
                sum_c += c[i] * w[i];
                sum_d += d[i] * w[i];
            }
            sums[row] = sum_a;
            sums[row + 1] = sum_b;
            sums[row + 2] = sum_c;
            sums[row + 3] = sum_d;
        }
        for (; row < R; row++) {
            const uint8_t *a = x + (size_t)row * n;
            int32_t sum = 0;
            for (int i = 0; i < n; i++)
                sum += a[i] * w[i];
            sums[row] = sum;
        }
        const float bias = m->bias ? m->bias[output] : 0.0f;
        for (row = 0; row < R; row++) {
            float value = (float)(sums[row] - m->shift[output]) * m->scale[output] * scale[row];
            float *to = out + (size_t)row * outputs + output;
            *to = (add ? *to : 0.0f) + value + bias;
        }
    }
}

/* Write the key and the value of a head's new token, which lie C and 2 C behind its query. */
static inline void remember(const float *q, int C, int D, uint16_t *key, uint16_t *value)
{
    for (int d = 0; d < D; d++) {
        key[d] = to_bfloat16(q[C + d]);
        value[d] = to_bfloat16(q[2 * C + d]);
    }
}

/* softmax(q K^T / sqrt(D)) V for one query and the first `length` keys and values: out (D). */
static inline void attention(
    const float *q, const uint16_t *keys, const uint16_t *values, int length, int D, float *out)
{
    float weights[length], largest = -INFINITY, total = 0, factor = 1.0f / sqrtf((float)D);
    for (int s = 0; s < length; s++) {
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int d = 0; d < D; d++)
            sum += q[d] * from_bfloat16(keys[(size_t)s * D + d]);
        weights[s] = sum * factor;
        largest = weights[s] > largest ? weights[s] : largest;
    }
#pragma omp simd reduction(+ : total)
    for (int s = 0; s < length; s++) {
        weights[s] = exponential(weights[s] - largest);
        total += weights[s];
    }
    for (int d = 0; d < D; d++)
        out[d] = 0;
    for (int s = 0; s < length; s++)
        for (int d = 0; d < D; d++)
            out[d] += weights[s] * from_bfloat16(values[(size_t)s * D + d]);
    for (int d = 0; d < D; d++)
        out[d] /= total;
}

/* Read T tokens of each of B sequences after the `start` tokens that the cache holds of each.

   tokens   (B, T)
   cache    (n_layer, 2, B, H, S, D), bfloat16: keys and values; the new ones are written to it
   scratch  what `scratch_floats` tells
   logits   (B, vocab_size): written, the scores of what follows the last token of each sequence

   Returns 1, or 0 and does nothing where there are no such tokens or no room for them. */
int32_t read_tokens(
    const struct model *model, const int64_t *tokens, int32_t B, int32_t T, int32_t start,
    uint16_t *cache, float *scratch, float *logits, int32_t threads)
{
    const int C = model->n_embd, H = model->n_head, D = C / H, S = model->block_size;
    const size_t layer_size = (size_t)2 * B * H * S * D;
    if (start < 0 || start + T > S)
        return 0;
    for (int i = 0; i < B * T; i++)
        if (tokens[i] < 0 || tokens[i] >= model->vocab_size)
            return 0;
    float *x = scratch, *y = x + TILE * C, *wide = y + TILE * C; /* wide: (R, up to 4 C) */
#pragma omp parallel num_threads(threads)
    for (int first = 0; first < B * T; first += TILE) {
        const int R = B * T - first < TILE ? B * T - first : TILE;
        /* What every thread computes for itself: that takes less time than to wait for it. */
        uint8_t inputs[TILE * 4 * C];
        float scale[TILE], line[4 * C];
#pragma omp for schedule(static)
        for (int row = 0; row < R; row++) {
            const float *token = model->token_embedding + (size_t)tokens[first + row] * C;
            const float *position = model->position_embedding
                + (size_t)(start + (first + row) % T) * C;
            for (int i = 0; i < C; i++)
                x[row * C + i] = token[i] + position[i];
        }
        for (int layer = 0; layer < model->n_layer; layer++) {
            const struct block *block = model->blocks + layer;
            uint16_t *keys = cache + layer * layer_size, *values = keys + layer_size / 2;

            for (int row = 0; row < R; row++) {
                layer_norm(&block->attention_norm, x + row * C, line, C);
                scale[row] = rounded(line, inputs + row * C, C);
            }
            product(&block->qkv, inputs, scale, R, 0, wide); /* wide: (R, 3, H, D) */
            if (T > 1) { /* all keys and values first, since tokens look at one another */
#pragma omp for schedule(static)
                for (int i = 0; i < R * H; i++) {
                    const int row = i / H, h = i % H, b = (first + row) / T, t = (first + row) % T;
                    const size_t at = ((size_t)(b * H + h) * S + start + t) * D;
                    remember(wide + (size_t)row * 3 * C + h * D, C, D, keys + at, values + at);
                }
            }
#pragma omp for schedule(static)
            for (int i = 0; i < R * H; i++) {
                const int row = i / H, h = i % H, b = (first + row) / T, t = (first + row) % T;
                const int length = start + t + 1;
                const float *q = wide + (size_t)row * 3 * C + h * D;
                uint16_t *k = keys + (size_t)(b * H + h) * S * D;
                uint16_t *v = values + (size_t)(b * H + h) * S * D;
                float *out = y + row * C + h * D;
                if (T == 1)
                    remember(q, C, D, k + (size_t)start * D, v + (size_t)start * D);
                if (D == 64) /* the usual size, known to the compiler */
                    attention(q, k, v, length, 64, out);
                else
                    attention(q, k, v, length, D, out);
            }
            for (int row = 0; row < R; row++)
                scale[row] = rounded(y + row * C, inputs + row * C, C);
            product(&block->attention_proj, inputs, scale, R, 1, x);

            for (int row = 0; row < R; row++) {
                layer_norm(&block->mlp_norm, x + row * C, line, C);
                scale[row] = rounded(line, inputs + row * C, C);
            }
            product(&block->fc, inputs, scale, R, 0, wide);
            for (int row = 0; row < R; row++) {
                for (int i = 0; i < 4 * C; i++)
                    line[i] = gelu(wide[(size_t)row * 4 * C + i]);
                scale[row] = rounded(line, inputs + row * 4 * C, 4 * C);
            }
            product(&block->mlp_proj, inputs, scale, R, 1, x);
        }
        int ends = 0; /* rows that are the last of their sequences */
        float *out = logits + (size_t)(first / T) * model->vocab_size;
        for (int row = 0; row < R; row++)
            if ((first + row) % T == T - 1) {
                layer_norm(&model->final_norm, x + row * C, line, C);
                scale[ends] = rounded(line, inputs + ends * C, C);
                ends++;
            }
        product(&model->head, inputs, scale, ends, 0, out);
    }
    return 1;
}

/* What compiled this: texts may differ where something else does. */
const char *compiler(void)
{
#ifdef __clang__
    return __VERSION__;
#else
    return "gcc " __VERSION__;
#endif
}

/* Whether this was compiled for the processor that runs it: 1, or 0 where sums come out wrong
   (or no answer at all, where it has instructions that the processor lacks). */
int32_t works(void)
{
    enum { N = 100, ROWS = 5 };
    static int8_t weight[N];
    static uint8_t x[ROWS * N];
    float scale[ROWS], out[ROWS], one = 1.0f;
    int32_t expected[ROWS] = {0}, shift = 0;
    for (int i = 0; i < N; i++) {
        weight[i] = (int8_t)(127 - 2 * i);
        shift += 128 * weight[i];
        for (int row = 0; row < ROWS; row++) {
            x[row * N + i] = (uint8_t)(255 - i * row);
            expected[row] += (x[row * N + i] - 128) * weight[i];
        }
    }
    for (int row = 0; row < ROWS; row++)
        scale[row] = 1.0f;
    const struct matrix m = {weight, &one, &shift, NULL, 1, N};
    product(&m, x, scale, ROWS, 0, out);
    for (int row = 0; row < ROWS; row++)
        if (fabsf(out[row] - (float)expected[row]) > 0.5f)
            return 0;
    return fabsf(exponential(-72.0f) / 5.38018616e-32f - 1.0f) < 1e-6f;
}
